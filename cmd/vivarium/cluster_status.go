package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
)

func newClusterStatus(x *connection) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show role, epoch, and how far each side is",
		Long: "Shows what the server that is asked knows: a primary tells of its secondaries, a secondary of the primary that it\n" +
			"follows. Entries are those of the journal; seconds say how old what a secondary shows is.",
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		found, err := x.cluster(cmd.Context())
		if err != nil {
			return err
		}
		if format == formatJSON {
			return writeJSON(x.c.out, found)
		}
		return printCluster(x.c.out, found)
	}
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

func printCluster(out io.Writer, c wire.Cluster) error {
	_, _ = fmt.Fprintf(out, "Cluster  %s, epoch %d\nServer   %s, %s\n", c.Name, c.Epoch, c.Server, c.Role)
	if f := c.Following; f != nil {
		printFollowing(out, f)
	}
	if c.Authority != nil {
		printAuthority(out, *c.Authority)
	}
	if c.SetAside > 0 {
		_, _ = fmt.Fprintf(out, "Aside    %d entries that the other side never had: vivarium cluster divergence\n", c.SetAside)
	}
	if len(c.Secondaries) > 0 {
		_, _ = fmt.Fprintln(out)
		if err := table(out, secondaryRows(c.Secondaries, c.Time)); err != nil {
			return err
		}
	}
	_, _ = fmt.Fprintln(out)
	if err := table(out, memberRows(c)); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out)
	return table(out, partitionRows(c))
}

// memberRows are the servers and runners of both sides, as far as they have told.
func memberRows(c wire.Cluster) [][]string {
	rows := [][]string{{"MEMBER", "SIDE", "WHAT", "EPOCH", "POOLS"}}
	add := func(side string, members []replication.Member) {
		for _, m := range members {
			what, epoch := m.Kind, ""
			if m.Kind == replication.ServerMember {
				what, epoch = string(m.Role), strconv.FormatUint(m.Epoch, 10)
			}
			rows = append(rows, []string{m.Name, side, what, epoch, strings.Join(m.Pools, ", ")})
		}
	}
	add("this", c.Members)
	if c.Following != nil && c.Following.Primary != nil {
		add("primary", c.Following.Primary.Members)
	}
	for _, p := range c.Secondaries {
		add(p.Cluster, p.Members)
	}
	return rows
}

func printFollowing(out io.Writer, f *replication.Status) {
	state := string(f.State)
	if f.Address != "" {
		state += ", " + f.Address
	}
	_, _ = fmt.Fprintf(out, "Follows  %s\nLag      %s\n", state, lagWords(f.Lag))
	if !f.Counted {
		_, _ = fmt.Fprintln(out, "Counted  not yet: it can't take over by force before the primary has said that it counts this secondary")
	}
	if f.Reason != "" {
		_, _ = fmt.Fprintf(out, "Reason   %s\n", f.Reason)
	}
	if f.Missing > 0 {
		_, _ = fmt.Fprintf(out, "Missing  %d states of steps that the journal names\n", f.Missing)
	}
}

// printAuthority says until when a primary acts, or why it does not and what to type.
func printAuthority(out io.Writer, a wire.Authority) {
	switch {
	case !a.Acts:
		_, _ = fmt.Fprintf(out, "Acts     no: %s\n", a.Reason)
		for _, line := range a.Do {
			_, _ = fmt.Fprintf(out, "         when it is gone for good, and has not taken over: %s\n", line)
		}
	case a.Until != nil:
		_, _ = fmt.Fprintf(out, "Acts     while %d of %d secondaries hear it; without, until %s\n", a.Needs, len(a.Asked), a.Until.Local().Format(time.TimeOnly))
	}
	for _, text := range a.Warnings {
		_, _ = fmt.Fprintf(out, "Warning  %s\n", text)
	}
}

func lagWords(l replication.Lag) string {
	if !l.Known {
		return "unknown: the primary was not heard since the start"
	}
	return fmt.Sprintf("%d entries, %.1f s", l.Entries, l.Seconds)
}

func secondaryRows(all []replication.Peer, now time.Time) [][]string {
	rows := [][]string{{"SECONDARY", "SERVER", "STATE", "LAG", "HEARD"}}
	for _, p := range all {
		state := "connected"
		if !p.Connected {
			state = "away"
		}
		if !p.Counted {
			state += ", not counted yet"
		}
		if len(p.Stopped) > 0 {
			state = fmt.Sprintf("%d partitions stopped: %s", len(p.Stopped), p.Stopped[0].Reason)
		}
		rows = append(rows, []string{p.Cluster, p.Server, state, lagWords(p.Lag), elapsed(max(now.Sub(p.Heard), 0)) + " ago"})
	}
	return rows
}

func partitionRows(c wire.Cluster) [][]string {
	rows := [][]string{{"PARTITION", "ENTRIES", "BEHIND", "CHAIN", "OWNER", "STATE"}}
	for i, p := range c.Partitions {
		if p.Seq == 0 && (c.Following == nil || c.Following.Partitions[i].Head == 0) {
			continue // nothing was ever there
		}
		behind, state := "", ""
		if f := c.Following; f != nil && i < len(f.Partitions) {
			at := f.Partitions[i]
			if at.Head > at.Seq {
				behind = strconv.FormatUint(at.Head-at.Seq, 10)
			}
			switch {
			case at.Stopped != nil:
				state = "stopped: " + at.Stopped.Reason
			case at.Standby:
				state = "another server of this side writes it"
			}
		}
		rows = append(rows, []string{strconv.Itoa(p.Partition), strconv.FormatUint(p.Seq, 10), behind, beginningOf(p.Chain), p.Owner, state})
	}
	return rows
}

// beginningOf a checksum is enough to compare it by eye.
func beginningOf(chain string) string {
	if len(chain) > 12 {
		return chain[:12]
	}
	return chain
}
