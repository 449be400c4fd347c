package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// validation is the outcome for one folder.
type validation struct {
	Folder   string       `json:"folder"`
	Template string       `json:"template,omitempty"`
	Hash     string       `json:"hash,omitempty"`
	Valid    bool         `json:"valid"`
	Error    *fault.Error `json:"error,omitempty"`
}

func newTemplateValidate(c *cli) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "validate FOLDER...",
		Short: "Compile templates and report every mistake",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kinds, err := c.kinds(cmd.Context())
			if err != nil {
				return err
			}
			wrong := 0
			all := make([]validation, 0, len(args))
			for _, dir := range args {
				v := validate(dir, kinds)
				if !v.Valid {
					wrong++
				}
				all = append(all, v)
			}
			if err := c.showValidations(all, format); err != nil {
				return err
			}
			if wrong > 0 {
				return errSilent
			}
			return nil
		},
	}
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

func (c *cli) showValidations(all []validation, format string) error {
	if format == formatJSON {
		return writeJSON(c.out, all)
	}
	good, bad := c.style(c.out), c.style(c.err)
	for _, v := range all {
		if v.Valid {
			if _, err := fmt.Fprintf(c.out, "%s %s: %s\n", good.green("✓"), v.Folder, v.Template); err != nil {
				return err
			}
			continue
		}
		_, _ = fmt.Fprintf(c.err, "%s %s\n%s", bad.red("✗"), v.Folder, diagnosticsText(v.diagnostics(), bad))
	}
	return nil
}

// diagnostics name the files as the user's shell finds them.
func (v validation) diagnostics() []fault.Diagnostic {
	if len(v.Error.Diagnostics) == 0 {
		return []fault.Diagnostic{{Severity: "error", Summary: message(v.Error)}}
	}
	all := append([]fault.Diagnostic(nil), v.Error.Diagnostics...)
	for i := range all {
		if all[i].File != "" && !filepath.IsAbs(all[i].File) {
			all[i].File = filepath.Join(v.Folder, all[i].File)
		}
	}
	return all
}

func validate(dir string, kinds template.Kinds) validation {
	t, err := compile(dir, kinds)
	if err != nil {
		return validation{Folder: dir, Error: asFault(err)}
	}
	return validation{Folder: dir, Template: t.Name + "@" + t.Version, Hash: t.Hash, Valid: true}
}

func compile(dir string, kinds template.Kinds) (*template.Template, error) {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder; name the folder that has %s in it", dir, template.MainFile)
	}
	if err != nil {
		return nil, err
	}
	return template.Compile(nil, dir, kinds)
}

func asFault(err error) *fault.Error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	return fault.New(fault.Reject, fault.InvalidTemplate, "%s", err)
}
