package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vivarium-env/vivarium/pkg/config"
)

// settingFlags adds the flags of some settings, as the table of package config describes them.
func settingFlags(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		for _, s := range config.Table() {
			if s.Flag != name {
				continue
			}
			doc := s.Doc + " ($" + s.Variable + ")"
			switch s.Type {
			case "true or false":
				cmd.Flags().Bool(name, false, doc)
			case "list of text":
				cmd.Flags().StringSlice(name, nil, doc+" (default "+s.Default+")")
			default:
				cmd.Flags().String(name, "", doc+defaultOf(s))
			}
		}
	}
	cmd.Flags().String("config", "", "configuration file in HCL ($VIVARIUM_CONFIG)")
}

func defaultOf(s config.Setting) string {
	if s.Default == "" {
		return ""
	}
	return " (default " + s.Default + ")"
}

// settings reads the file, the variables and the flags of a command.
func (c *cli) settings(cmd *cobra.Command) (config.Settings, error) {
	in := config.Inputs{Variables: c.variables, Flags: map[string]string{}}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		in.Flags[f.Name] = f.Value.String()
		if list, ok := f.Value.(pflag.SliceValue); ok {
			in.Flags[f.Name] = strings.Join(list.GetSlice(), ",")
		}
	})
	in.FileName = in.Flags["config"]
	if in.FileName == "" {
		in.FileName = c.variables["VIVARIUM_CONFIG"]
	}
	if in.FileName != "" {
		text, err := os.ReadFile(in.FileName)
		if err != nil {
			return config.Settings{}, usage("can't read the configuration file: %w", err)
		}
		in.File = append([]byte{}, text...)
	}
	return config.Load(in)
}
