package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	graphviz "github.com/goccy/go-graphviz"
)

// mostBytes is how large a graph's text may be.
const mostBytes = 16 << 20

func main() {
	if len(os.Args) > 2 || len(os.Args) == 2 && os.Args[1] != "-Tsvg" {
		_, _ = fmt.Fprintln(os.Stderr, "usage: vivarium-draw [-Tsvg] <graph.dot >picture.svg")
		os.Exit(2)
	}
	if err := draw(context.Background(), os.Stdin, os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "vivarium-draw:", err)
		os.Exit(1)
	}
}

func draw(ctx context.Context, in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(io.LimitReader(in, mostBytes))
	if err != nil {
		return err
	}
	engine, err := graphviz.New(ctx)
	if err != nil {
		return err
	}
	graph, err := graphviz.ParseBytes(text)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	if err := engine.Render(ctx, graph, graphviz.SVG, w); err != nil {
		return err
	}
	return w.Flush()
}
