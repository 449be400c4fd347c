package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// foreseen are the changes that have a column.
var foreseen = []event.Change{event.ChangeCreate, event.ChangeUpdate, event.ChangeDestroy, event.ChangeUnknown, event.ChangeNone}

// templateImpact is what the command prints as JSON.
type templateImpact struct {
	Template     environment.Template `json:"template"`
	Environments []environment.Effect `json:"environments"`
	Counts       map[event.Change]int `json:"counts"`
	Changing     int                  `json:"changing"` // environments in which something would change
	Refused      int                  `json:"refused"`  // environments that could not be updated to it
}

func newTemplateImpact(x *connection) *cobra.Command {
	var format string
	var detailed bool
	cmd := &cobra.Command{
		Use:   "impact NAME[@VERSION]|FOLDER",
		Short: "What a template would change in every live environment that is made from it",
		Long: "Resolves every live environment that is made from a template of this name anew, with the parameters that were given to it,\n" +
			"and says what an update would do. Nothing is changed, and no executor is asked: whether an update is a replacement, only\n" +
			"an executor knows, so those are counted as updates; `vivarium env plan` asks it, for one environment. \"Unknown\" depends\n" +
			"on what is known only after something else has changed.\n\n" +
			"What has a slash in it, such as ./notes, is a folder with an edited template, which is compiled here and sent to the server.\n" +
			"The server opens no secret for it: what depends on one is unknown too, which a template of the catalogue is not.\n\n" +
			"Exits with 1 when an environment would refuse the template or the question could not be asked, with 2 when the command line\n" +
			"is wrong, and with 3 when --detailed-exitcode is given and something would, or may, change.",
		Example: "  vivarium template impact notes\n  vivarium template impact notes@1.1.0 -o json\n  vivarium template impact ./templates/notes",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := x.templateImpact(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := x.c.templateImpact(all, format); err != nil {
				return err
			}
			switch {
			case all.Refused > 0:
				return errSilent
			case detailed && all.Changing > 0:
				return errOther
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 3 when something would change")
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

// templateImpact asks for all pages.
func (x *connection) templateImpact(ctx context.Context, what string) (templateImpact, error) {
	all := templateImpact{Environments: []environment.Effect{}, Counts: map[event.Change]int{}}
	api, err := x.api()
	if err != nil {
		return all, err
	}
	take := func(p wire.TemplateImpact) error {
		all.add(p)
		return nil
	}
	if !strings.ContainsAny(what, `/\`) && what != "." && what != ".." {
		err = api.TemplateImpact(ctx, what, take)
		return all, err
	}
	name, packed, err := x.packed(ctx, what)
	if err == nil {
		err = api.FolderImpact(ctx, name, packed, take)
	}
	return all, err
}

// packed compiles a folder and packs it, with what its modules are fetched from.
func (x *connection) packed(ctx context.Context, dir string) (name string, packed []byte, err error) {
	kinds, err := x.c.kinds(ctx)
	if err != nil {
		return "", nil, err
	}
	t, err := compile(dir, kinds)
	if err != nil {
		return "", nil, err
	}
	b, err := t.Archive()
	if err != nil {
		return "", nil, err
	}
	return t.Name, b.Data, nil
}

func (a *templateImpact) add(p wire.TemplateImpact) {
	a.Template = p.Template
	a.Environments = append(a.Environments, p.Items...)
	for _, e := range p.Items {
		for change, n := range e.Counts {
			a.Counts[change] += n
		}
		switch {
		case e.Error != nil, len(e.Against) > 0:
			a.Refused++
		case len(e.Steps) > 0:
			a.Changing++
		}
	}
}

func (c *cli) templateImpact(a templateImpact, format string) error {
	if format == formatJSON {
		return writeJSON(c.out, a)
	}
	if len(a.Environments) > 0 {
		rows := [][]string{{"ENVIRONMENT", "STATUS", "NOW", "CREATE", "UPDATE", "DESTROY", "UNKNOWN", "UNCHANGED", "NOTE"}}
		for _, e := range a.Environments {
			rows = append(rows, effectRow(e))
		}
		if err := table(c.out, rows); err != nil {
			return err
		}
	}
	n := a.Counts
	_, err := fmt.Fprintf(c.out, "%s@%s: %s, %d would change, %d would refuse it; %d to create, %d to update, %s, %d unknown, %d unchanged.\n",
		clean(a.Template.Name), clean(a.Template.Version), numbered(len(a.Environments), "live environment", "live environments"), a.Changing, a.Refused, n[event.ChangeCreate], n[event.ChangeUpdate],
		destroys(c.style(c.out), n[event.ChangeDestroy]), n[event.ChangeUnknown], n[event.ChangeNone])
	if err == nil && n[event.ChangeUpdate]+n[event.ChangeUnknown] > 0 {
		_, err = io.WriteString(c.out, "An update may be a replacement: only an executor knows, see `vivarium env plan`.\n")
	}
	return err
}

func effectRow(e environment.Effect) []string {
	row := []string{e.Environment, string(e.Status), e.Now.Version}
	for _, change := range foreseen {
		if e.Error != nil {
			row = append(row, "-")
			continue
		}
		row = append(row, strconv.Itoa(e.Counts[change]))
	}
	return append(row, effectNote(e))
}

// effectNote is why an update would be refused.
func effectNote(e environment.Effect) string {
	switch {
	case e.Error != nil:
		return "refused: " + e.Error.Message
	case len(e.Against) > 0:
		var by []string
		for _, u := range e.Against {
			if len(by) == 0 || by[len(by)-1] != u.Environment {
				by = append(by, u.Environment)
			}
		}
		return "refused without --despite-consumers: " + strings.Join(by, ", ") + " use what it takes away"
	}
	return ""
}
