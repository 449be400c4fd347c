package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func newSearch(c *cli) *cobra.Command {
	var q store.Search
	cmd := &cobra.Command{Use: "search WORD...", Args: cobra.MinimumNArgs(1), Short: "Find environments and resources by words, the best first",
		Long: "Finds environments and resources by words in names, descriptions, tags and outputs that are not sensitive, the best first.\n" +
			"Each word has to begin a word there."}
	cmd.Flags().Var(choice{&q.Kind, []string{store.EnvironmentHit, store.ResourceHit}}, "kind", "only environments, or only resources")
	cmd.Flags().IntVar(&q.Limit, "limit", 0, "hits at most, 1 to 100 (default 20)")
	x := connectionFlags(c, cmd)
	return question(x, cmd, func(ctx context.Context, api *client.API, args []string) ([]store.Hit, error) {
		q.Text = strings.Join(args, " ")
		return api.Search(ctx, q)
	}, func(hits []store.Hit) [][]string {
		rows := [][]string{{"KIND", "ENVIRONMENT", "ADDRESS", "STATUS", "DESCRIPTION"}}
		for _, h := range hits {
			rows = append(rows, []string{h.Kind, h.Environment, h.Address, string(h.Status), h.Description})
		}
		return rows
	})
}

func uintText(n uint64) string { return strconv.FormatUint(n, 10) }
