package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

func newEnvironmentLock(x *connection) *cobra.Command {
	var data event.Lock
	var format string
	cmd := &cobra.Command{
		Use:   "lock NAME [--reason TEXT]",
		Short: "Keep everybody from changing an environment",
		Long: "Until it is unlocked the environment is neither updated, destroyed, retried nor healed, and no action is run, by whomever\n" +
			"or by itself; looks and plans go on, and so does what is under way.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return x.tell(cmd.Context(), event.EnvironmentLock, args[0], data, format,
				"%[1]s is locked.\nLet it be changed again with: vivarium env unlock %[1]s\n")
		},
	}
	cmd.Flags().StringVar(&data.Reason, "reason", "", "why, for those who are refused")
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

func newEnvironmentUnlock(x *connection) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "unlock NAME",
		Short: "Let a locked environment be changed again",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return x.tell(cmd.Context(), event.EnvironmentUnlock, args[0], event.Unlock{}, format, "%s is unlocked.\n")
		},
	}
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

// protectionFacts are what keeps an environment, or a part of it, from being changed.
func protectionFacts(r environment.Record) (facts [][2]string) {
	if l := r.Lock; l != nil {
		text := "by " + l.By + ", " + moment(l.At)
		if l.Reason != "" {
			text += ": " + l.Reason
		}
		facts = append(facts, [2]string{"Locked", text})
	}
	if q := r.Queued; q != nil {
		facts = append(facts, [2]string{"Queued", q.Command + ", by " + q.RequestedBy + ", " + moment(q.At)})
	}
	if r.DestroyHeld != nil {
		facts = append(facts, [2]string{"Waits", r.DestroyHeld.Message})
	}
	var left []string
	for _, one := range r.Retained {
		left = append(left, one.Address)
	}
	return append(facts, [2]string{"Retained", strings.Join(left, ", ")})
}

// statusText is the status of an environment in a list.
func statusText(r environment.Record) string {
	text := string(r.Status)
	if r.Status == environment.Destroyed && len(r.Next) > 0 {
		text += ", next: " + r.Next[0].What + " at " + moment(r.Next[0].At)
	}
	if r.Drifted > 0 {
		text += fmt.Sprintf(", %d drifted", r.Drifted)
	}
	if r.Lock != nil {
		text += " (locked)"
	}
	return text
}
