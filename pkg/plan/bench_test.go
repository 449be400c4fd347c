package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/vivarium-env/vivarium/pkg/template"
)

// shapes are templates of n resources each.
var shapes = map[string]func(n int) string{
	"chain": func(n int) string {
		var b strings.Builder
		b.WriteString(head + "resource \"box\" \"r0\" { image = \"first\" }\n")
		for i := 1; i < n; i++ {
			fmt.Fprintf(&b, "resource \"box\" \"r%d\" {\n  image = \"x-${resource.box.r%d.outputs.url}\"\n  size = %d\n}\n", i, i-1, i)
		}
		return b.String()
	},
	"fanout": func(n int) string {
		var b strings.Builder
		b.WriteString(head + "parameter \"tag\" { default = \"v1\" }\nresource \"box\" \"r0\" { image = \"first\" }\n")
		for i := 1; i < n; i++ {
			fmt.Fprintf(&b, "resource \"box\" \"r%d\" {\n  image = \"${environment.name}-${param.tag}\"\n  env = { A = resource.box.r0.outputs.url }\n}\n", i)
		}
		return b.String()
	},
	"count": func(n int) string {
		return head + fmt.Sprintf(`
			resource "box" "base" { image = "base" }
			resource "box" "many" {
				count = %d
				image = "n-${count.index}"
				env   = { A = resource.box.base.outputs.url }
			}`, n-1)
	},
	"pairs": func(n int) string {
		return head + fmt.Sprintf(`
			resource "box" "a" { count = %d }
			resource "box" "b" {
				count = %d
				image = resource.box.a[count.index].outputs.url
			}`, n/2, n/2)
	},
}

func BenchmarkCompileAndResolve(b *testing.B) {
	for _, shape := range []string{"chain", "fanout", "count", "pairs"} {
		for _, n := range []int{1_000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", shape, n), func(b *testing.B) {
				files := fstest.MapFS{"template.hcl": {Data: []byte(shapes[shape](n))}}
				for b.Loop() {
					t, err := template.Compile(files, "", testKinds())
					if err != nil {
						b.Fatal(err)
					}
					p, err := Resolve(Request{Environment: "e", Templates: []*template.Template{t}})
					if err != nil {
						b.Fatal(err)
					}
					if len(p.Nodes()) != n {
						b.Fatalf("%d nodes", len(p.Nodes()))
					}
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "resources/s")
			})
		}
	}
}

func BenchmarkInputs(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := resolve(b, nil, shapes["fanout"](n))
			out := func(string) (json.RawMessage, bool) { return json.RawMessage(`{"url":"http://x","port":1}`), true }
			for i := 0; b.Loop(); i++ {
				if _, err := p.Inputs(p.Nodes()[i%n].Address, out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "inputs/s")
		})
	}
}
