package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/event"
)

func newEnvironmentSettle(x *connection) *cobra.Command {
	var follow followFlags
	var outputs string
	cmd := &cobra.Command{
		Use:   "settle NAME STEP done|again",
		Short: "Say what became of a step that is uncertain",
		Long: "After a takeover, a step that was in flight may have been done or not. What can be looked at is looked at; of the rest\n" +
			"a person has to say it: \"done\" lets the operation go on behind the step, \"again\" runs it again. `vivarium cluster\n" +
			"uncertain` lists such steps, with what was found.",
		Example: "  vivarium env settle notes notes.action.migrate done\n  vivarium env settle notes notes.terraform.network done --outputs '{\"id\":\"net-1\"}'",
		Args:    cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			s := event.Settle{Step: args[1], Verdict: event.Verdict(args[2])}
			if s.Verdict != event.Done && s.Verdict != event.Again {
				return usage("the third argument has to be done or again, not %q", args[2])
			}
			if outputs != "" {
				if !json.Valid([]byte(outputs)) {
					return usage("--outputs has to be a JSON object")
				}
				s.Outputs = json.RawMessage(outputs)
			}
			data, err := json.Marshal(s)
			if err != nil {
				return err
			}
			return x.order(cmd.Context(), order{command: event.EnvironmentSettle, environment: args[0], data: data, follow: follow})
		},
	}
	cmd.Flags().StringVar(&outputs, "outputs", "", "what the step has put out, as a JSON object, where others use it")
	follow.add(cmd)
	return cmd
}
