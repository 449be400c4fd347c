package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func newGraph(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "Ask what depends on what, across environments",
		Long: "Asks what depends on what, across environments.\n\n" +
			"A resource is named ENVIRONMENT/ADDRESS, such as notes/notes.terraform.network; an environment as a whole by its name.",
		RunE: groupOnly,
	}
	x := connectionFlags(c, cmd)
	cmd.AddCommand(
		newGraphWalk(x, "deps", "What a resource or an environment stands on", store.Dependencies),
		newGraphWalk(x, "dependents", "What stands on a resource or an environment", store.Dependents),
		newGraphPath(x), newGraphImpact(x), newGraphLineage(x), newGraphMade(x),
	)
	return cmd
}

// refOf reads ENVIRONMENT/ADDRESS, or ENVIRONMENT alone.
func refOf(text string) store.Ref {
	environment, address, _ := strings.Cut(text, "/")
	return store.Ref{Environment: environment, Address: address}
}

func refText(r store.Ref) string {
	if r.Address == "" {
		return r.Environment
	}
	return r.Environment + "/" + r.Address
}

// question is a command that asks one thing and prints it as a table or as JSON.
func question[T any](x *connection, cmd *cobra.Command, ask func(context.Context, *client.API, []string) (T, error), rows func(T) [][]string) *cobra.Command {
	return drawnQuestion(x, cmd, ask, rows, nil)
}

// drawing asks for an answer as a drawing in a format.
type drawing func(ctx context.Context, api *client.API, args []string, format string) ([]byte, error)

// drawnQuestion is a question whose answer can be drawn, unless draw is nil.
func drawnQuestion[T any](x *connection, cmd *cobra.Command, ask func(context.Context, *client.API, []string) (T, error),
	rows func(T) [][]string, draw drawing) *cobra.Command {
	var format string
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		api, err := x.api()
		if err != nil {
			return err
		}
		if format != formatTable && format != formatJSON {
			text, err := draw(cmd.Context(), api, args, format)
			if err == nil {
				_, err = x.c.out.Write(text)
			}
			return err
		}
		answer, err := ask(cmd.Context(), api, args)
		if err != nil {
			return err
		}
		if format == formatJSON {
			return writeJSON(x.c.out, answer)
		}
		return table(x.c.out, rows(answer))
	}
	words := []string{formatTable, formatJSON}
	if draw != nil {
		words = append(words, formatDOT, formatMermaid, formatSVG)
	}
	outputFlag(cmd, &format, words...)
	return cmd
}

func newGraphWalk(x *connection, use, short string, d store.Direction) *cobra.Command {
	var depth int
	cmd := &cobra.Command{Use: use + " ENVIRONMENT[/ADDRESS]", Short: short, Args: cobra.ExactArgs(1),
		Example: "  vivarium graph " + use + " notes/notes.terraform.network --depth 2"}
	cmd.Flags().IntVar(&depth, "depth", 0, "edges to go, 1 to 1000 (default to the end)")
	walk := func(args []string) (store.Walk, error) {
		if depth < 0 || cmd.Flags().Changed("depth") && depth == 0 {
			return store.Walk{}, usage("--depth has to be 1 to 1000")
		}
		return store.Walk{From: refOf(args[0]), Direction: d, Depth: depth}, nil
	}
	return drawnQuestion(x, cmd, func(ctx context.Context, api *client.API, args []string) (store.Reach, error) {
		w, err := walk(args)
		if err != nil {
			return store.Reach{}, err
		}
		return api.Walk(ctx, w)
	}, reachRows, func(ctx context.Context, api *client.API, args []string, format string) ([]byte, error) {
		w, err := walk(args)
		if err != nil {
			return nil, err
		}
		return api.DrawWalk(ctx, w, format)
	})
}

func reachRows(r store.Reach) [][]string {
	rows := append([][]string{{"DEPTH", "ENVIRONMENT", "ADDRESS", "EXECUTOR", "STATUS"}}, vertexRows(r.Vertices)...)
	if r.Truncated {
		rows = append(rows, []string{"", "there is more than is listed"})
	}
	return rows
}

func vertexRows(vertices []store.Vertex) [][]string {
	var rows [][]string
	for _, v := range vertices {
		rows = append(rows, []string{fmt.Sprint(v.Depth), v.Environment, v.Address, v.Executor, string(v.Status)})
	}
	return rows
}

func newGraphPath(x *connection) *cobra.Command {
	cmd := &cobra.Command{Use: "path ENVIRONMENT/ADDRESS ENVIRONMENT/ADDRESS", Args: cobra.ExactArgs(2),
		Short: "A shortest way from a resource to one that it stands on"}
	return drawnQuestion(x, cmd, func(ctx context.Context, api *client.API, args []string) ([]store.Edge, error) {
		edges, err := api.Path(ctx, refOf(args[0]), refOf(args[1]))
		if err == nil && len(edges) == 0 {
			err = fmt.Errorf("%s does not stand on %s", args[0], args[1])
		}
		return edges, err
	}, edgeRows, func(ctx context.Context, api *client.API, args []string, format string) ([]byte, error) {
		return api.DrawPath(ctx, refOf(args[0]), refOf(args[1]), format)
	})
}

func edgeRows(edges []store.Edge) [][]string {
	rows := [][]string{{"FROM", "KIND", "TO", "OUTPUT"}}
	for _, e := range edges {
		rows = append(rows, []string{refText(e.From), string(e.Kind), refText(e.To), e.Output})
	}
	return rows
}

func newGraphImpact(x *connection) *cobra.Command {
	cmd := &cobra.Command{Use: "impact ENVIRONMENT[/ADDRESS]", Args: cobra.ExactArgs(1), Short: "What breaks if a resource or an environment goes"}
	return drawnQuestion(x, cmd, func(ctx context.Context, api *client.API, args []string) (wire.Impact, error) {
		return api.Impact(ctx, refOf(args[0]))
	}, impactRows, func(ctx context.Context, api *client.API, args []string, format string) ([]byte, error) {
		return api.DrawImpact(ctx, refOf(args[0]), format)
	})
}

func impactRows(i wire.Impact) [][]string {
	if i.Resources == 0 {
		return [][]string{{"Nothing stands on it."}}
	}
	rows := [][]string{{"DEPTH", "ENVIRONMENT", "ADDRESS", "EXECUTOR", "STATUS"}}
	for _, e := range i.Environments {
		rows = append(rows, vertexRows(e.Resources)...)
	}
	return rows
}
