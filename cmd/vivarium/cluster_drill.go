package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func newClusterDrill(x *connection) *cobra.Command {
	var patience time.Duration
	var format string
	cmd := &cobra.Command{
		Use:   "drill",
		Short: "Show what a takeover would do now, without doing it",
		Long: "Copies the store of a secondary into a temporary folder, takes over there, and has the executors look at every step that is\n" +
			"in flight, as a takeover would; they do nothing but look. It needs the settings of the secondary's server, runs on its\n" +
			"machine, and the secondary goes on following meanwhile. It says how far each partition is, which operations are in\n" +
			"flight, what was found, and what would follow.\n\n" +
			"It exits with 3 when of some step it can't be told whether it was done.",
		Example: "  vivarium cluster drill --data-dir west\n  vivarium cluster drill --data-dir west -o json",
		Args:    cobra.NoArgs,
	}
	settingFlags(cmd, "store", "pool", "plugins")
	outputFlag(cmd, &format, formatTable, formatJSON)
	cmd.Flags().DurationVar(&patience, "for", 5*time.Minute, "how long looking may take")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if d, err := x.find(); err == nil && d.Primary {
			return usage("this side is the primary: a drill is for a secondary")
		}
		s := &storeCommand{cli: x.c, cmd: cmd, output: format}
		return s.withStore(cmd.Context(), false, false, func(settings config.Settings, from store.Store) (err error) {
			if settings.DataDir, err = filepath.Abs(settings.DataDir); err != nil {
				return err
			}
			report, err := x.c.drill(cmd.Context(), settings, from, patience)
			if err != nil {
				return err
			}
			if found, err := x.cluster(cmd.Context()); err == nil {
				report.Following = found.Following
			}
			return x.c.showDrill(report, format)
		})
	}
	return cmd
}

func (c *cli) showDrill(r drillReport, format string) error {
	write := c.printDrill
	if format == formatJSON {
		write = func(r drillReport) error { return writeJSON(c.out, r) }
	}
	if err := write(r); err != nil {
		return err
	}
	if r.Untold > 0 {
		return errOther
	}
	return nil
}

func (c *cli) printDrill(r drillReport) error {
	s := c.style(c.out)
	_, _ = fmt.Fprintf(c.out, "A takeover would act under epoch %d, with the journal as of %s.\n", r.Epoch, r.Time.Local().Format(time.DateTime))
	if f := r.Following; f != nil {
		_, _ = fmt.Fprintf(c.out, "Follows  %s\nLag      %s\n", f.State, lagWords(f.Lag))
		if f.Missing > 0 {
			_, _ = fmt.Fprintf(c.out, "Missing  %s of steps that the journal names\n", numbered(f.Missing, "state", "states"))
		}
	}
	rows := [][]string{{"PARTITION", "ENTRIES", "CHAIN"}}
	for _, p := range r.Partitions {
		rows = append(rows, []string{strconv.Itoa(p.Partition), strconv.FormatUint(p.Seq, 10), beginningOf(p.Chain)})
	}
	_, _ = fmt.Fprintln(c.out)
	if err := table(c.out, rows); err != nil {
		return err
	}
	var b strings.Builder
	for _, e := range r.Environments {
		fmt.Fprintf(&b, "\n%s  %s, %s %s: %d in flight, %d to come\n", s.bold(clean(e.Name)), e.Status, e.Kind, clean(e.Operation), len(e.Steps), e.Coming)
		for _, step := range e.Steps {
			fmt.Fprintf(&b, "    %s  %s, attempt %d%s\n", clean(step.Step), step.Verb, step.Attempt, drillFound(step))
			fmt.Fprintf(&b, "        %s %s\n", s.dim("→"), step.Follows)
		}
	}
	switch {
	case len(r.Environments) == 0:
		fmt.Fprint(&b, "\nNo operation is in flight.\n")
	case r.Untold > 0:
		fmt.Fprintf(&b, "\nOf %s it can't be told whether it was done.\n", numbered(r.Untold, "step", "steps"))
	default:
		fmt.Fprint(&b, "\nOf every step it can be told what follows.\n")
	}
	_, err := fmt.Fprint(c.out, b.String())
	return err
}

func drillFound(s drillStep) string {
	text := ""
	if saw := s.saw(); saw != "" {
		text = ": it is " + saw
	}
	if s.Detail != "" {
		text += "; " + clean(s.Detail)
	}
	return text
}
