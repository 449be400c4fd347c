package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func newClusterDivergence(x *connection) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "divergence [ID]",
		Short: "Show what an old primary had that the side which took over never had",
		Long: "Lists what was set aside when this side saw that another one had taken over: entries of its journal that had not been\n" +
			"sent by then. They count for nothing any more, and are kept. With an ID it prints what they say, a line an entry. What they\n" +
			"say was done may have been done: look at it, and at what the other side knows of it (`vivarium cluster uncertain` there).\n" +
			"The states that executors had saved meanwhile are kept with them: vivarium store aside.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := x.api()
			if err != nil {
				return err
			}
			all, err := api.Divergence(cmd.Context())
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return x.c.showAsides(all, format)
			}
			i := slices.IndexFunc(all, func(a store.Aside) bool { return a.ID == args[0] })
			if i < 0 {
				return usage("nothing is set aside here that is called %s: vivarium cluster divergence lists what is", args[0])
			}
			return x.showAside(cmd.Context(), api, all[i], format)
		},
	}
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

func (c *cli) showAsides(all []store.Aside, format string) error {
	if format == formatJSON {
		return writeJSON(c.out, all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(c.out, "Nothing is set aside.")
		return err
	}
	for _, a := range all {
		if err := c.printAside(a); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(c.out, "\n%s vivarium cluster divergence ID\n", c.style(c.out).dim("what they say:"))
	return err
}

func (c *cli) printAside(a store.Aside) error {
	s := c.style(c.out)
	var b strings.Builder
	fmt.Fprintf(&b, "%s  entries %d to %d of partition %d, epoch %d; overtaken under epoch %d, set aside %s\n",
		s.bold(clean(a.ID)), a.First, a.Last, a.Partition, a.Epoch, a.Overtaken, a.Time.Local().Format(time.DateTime))
	for _, e := range a.Environments {
		fmt.Fprintf(&b, "    %s  %s, %s\n", clean(e.Name), asideChange(e), numbered(e.Entries, "entry", "entries"))
	}
	if n := len(a.States); n > 0 {
		fmt.Fprintf(&b, "    %s of executors are kept with them\n", numbered(n, "state", "states"))
	}
	_, err := fmt.Fprint(c.out, b.String())
	return err
}

// asideChange is what set aside entries had made of an environment.
func asideChange(e store.AsideEnvironment) string {
	switch {
	case e.Name == environment.ClusterName:
		return "the cluster's own"
	case e.Before == "" && e.After == "":
		return "commands that were rejected"
	case e.Before == e.After:
		return string(e.After)
	}
	return fmt.Sprintf("%s → %s", cmp.Or(string(e.Before), "not there"), cmp.Or(string(e.After), "not there"))
}

func numbered(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// asideShown is the JSON of one.
type asideShown struct {
	store.Aside
	Journal []store.Entry `json:"journal"`
}

func (x *connection) showAside(ctx context.Context, api *client.API, a store.Aside, format string) error {
	shown := asideShown{Aside: a, Journal: []store.Entry{}}
	show := func(e store.Entry) error {
		shown.Journal = append(shown.Journal, e)
		return nil
	}
	if format != formatJSON {
		if err := x.c.printAside(a); err != nil {
			return err
		}
		show = x.c.asidePrinter()
	}
	err := everyEntry(0, show, func(after uint64) (wire.List[store.Entry], error) { return api.DivergenceJournal(ctx, a.ID, after, 0) })
	if err == nil && format == formatJSON {
		err = writeJSON(x.c.out, shown)
	}
	return err
}

// asidePrinter prints entries of several environments as `env journal` does those of one.
func (c *cli) asidePrinter() func(store.Entry) error {
	s, tellers := c.style(c.out), map[string]*teller{}
	return func(e store.Entry) error {
		t := tellers[e.Environment]
		if t == nil {
			t = newTeller()
			tellers[e.Environment] = t
		}
		_, err := fmt.Fprintf(c.out, "%s  %s  %s %s %s\n", s.dim(fmt.Sprintf("%6d", e.Seq)), s.dim(moment(e.Time)), clean(e.Environment),
			s.dim(fmt.Sprintf("%-29s", e.Type)), cut(t.words(e), longestWords))
		return err
	}
}
