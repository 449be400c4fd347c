package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"text/tabwriter"
)

// section measures one thing and prints its rows.
type section struct {
	name string
	run  func(context.Context, *report) error
}

var sections = []section{
	{"floors", floors},
	{"embedded", overheadEmbedded},
	{"rabbitmq", overheadRabbitMQ},
	{"plan", planning},
	{"changes", changes},
	{"idle", idle},
	{"drift", drift},
	{"restart", restart},
	{"scaling", scaling},
	{"takeover", takeover},
	{"replication", replicate},
	{"promote", promote},
	{"logs", slowReaders},
	{"reads", reading},
	{"consul", consulKV},
	{"terraform", terraformUnits},
}

// report is the table that is printed while it grows.
type report struct{ *tabwriter.Writer }

func (r *report) row(what, figure, goal string) {
	fmt.Fprintf(r, "%s\t%s\t%s\n", what, figure, goal)
	_ = r.Flush()
}

func main() {
	only := flag.String("only", "", "comma-separated names of sections: floors, embedded, rabbitmq, plan, changes, idle, drift, restart, scaling, takeover, replication, promote, logs, reads, consul, terraform")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Printf("%s, %s/%s, %d processors\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	r := &report{tabwriter.NewWriter(os.Stdout, 58, 0, 2, ' ', 0)}
	r.row("WHAT", "MEASURED", "GOAL")
	for _, s := range sections {
		if *only != "" && !strings.Contains(","+*only+",", ","+s.name+",") {
			continue
		}
		if err := s.run(ctx, r); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", s.name, err)
			os.Exit(1)
		}
	}
}
