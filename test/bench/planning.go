package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/plan"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// planning compiles and resolves templates of many blocks, each with two references.
func planning(_ context.Context, r *report) error {
	small, err := compileAndPlan(10_000)
	if err != nil {
		return err
	}
	r.row("compile and plan 10,000 resources", fmt.Sprintf("%.2f s", small.Seconds()), "< 1 s")
	large, err := compileAndPlan(100_000)
	if err != nil {
		return err
	}
	r.row("compile and plan 100,000 resources", fmt.Sprintf("%.2f s", large.Seconds()), "< 15 s")
	r.row("growth for ten times as many", fmt.Sprintf("%.1f times", large.Seconds()/small.Seconds()), "<= 12.5 (n log n)")
	return nil
}

func compileAndPlan(count int) (took time.Duration, err error) {
	err = inFolder(func(dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "template.hcl"), []byte(manyBlocks(count)), 0o644); err != nil {
			return err
		}
		key, err := secret.NewKey()
		if err != nil {
			return err
		}
		box, err := secret.NewBox(key)
		if err != nil {
			return err
		}
		start := time.Now()
		t, err := template.Compile(os.DirFS(dir), dir, kinds())
		if err != nil {
			return err
		}
		p, err := plan.Resolve(plan.Request{Environment: "bench", Templates: []*template.Template{t}, Box: box})
		if err != nil {
			return err
		}
		took = time.Since(start)
		if got := len(p.Nodes()); got != count {
			return fmt.Errorf("%d nodes instead of %d", got, count)
		}
		return nil
	})
	return took, err
}

func manyBlocks(count int) string {
	var b strings.Builder
	b.WriteString("template \"many\" {\n  version = \"1.0.0\"\n}\n")
	for i := range count {
		fmt.Fprintf(&b, "resource \"noop\" \"n%d\" {\n", i)
		if i > 0 {
			fmt.Fprintf(&b, "  inputs = { before = resource.noop.n%d.outputs.inputs, root = resource.noop.n%d.outputs.inputs }\n", i-1, i/2)
		}
		b.WriteString("}\n")
	}
	return b.String()
}
