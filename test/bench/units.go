package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// shape is an environment of Terraform modules, each of them with one terraform_data: unit i stands on unit before(i), or on
// nothing when that is negative.
type shape struct {
	name   string
	count  int
	before func(i int) int
}

var shapes = []shape{
	{"fan-out", 50, func(int) int { return -1 }},
	{"chain", 20, func(i int) int { return i - 1 }},
	{"tree", 63, func(i int) int { return (i+1)/2 - 1 }},
}

const unitModule = `variable "name" { type = string }
resource "terraform_data" "unit" { input = var.name }
output "name" { value = terraform_data.unit.output }
`

// write makes the template of the shape in a catalogue.
func (s shape) write(catalogue string) error {
	var text strings.Builder
	fmt.Fprintf(&text, "template %q {\n  version = \"1.0.0\"\n}\n", s.name)
	for i := range s.count {
		fmt.Fprintf(&text, "resource \"terraform\" \"u%d\" {\n  source = \"./unit\"\n  inputs = { name = \"u%d\" }\n", i, i)
		if before := s.before(i); before >= 0 {
			fmt.Fprintf(&text, "  depends_on = [resource.terraform.u%d]\n", before)
		}
		text.WriteString("}\n")
	}
	dir := filepath.Join(catalogue, s.name)
	if err := os.MkdirAll(filepath.Join(dir, "unit"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "unit", "main.tf"), []byte(unitModule), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "template.hcl"), []byte(text.String()), 0o644)
}

// walk does something with every unit once what it stands on is done, or, backwards, once all that stands on it is; at most
// width at once. It returns the first error, and then begins nothing more.
func (s shape) walk(width int, backwards bool, do func(i int) error) error {
	waits := make([]int, s.count)
	next := make([][]int, s.count)
	for i := range s.count {
		if before := s.before(i); before >= 0 {
			from, to := before, i
			if backwards {
				from, to = i, before
			}
			next[from] = append(next[from], to)
			waits[to]++
		}
	}
	ready := make(chan int, s.count)
	for i, n := range waits {
		if n == 0 {
			ready <- i
		}
	}
	var mu sync.Mutex
	var failed error
	var wait, workers sync.WaitGroup
	wait.Add(s.count)
	for range width {
		workers.Go(func() {
			for i := range ready {
				mu.Lock()
				err := failed
				mu.Unlock()
				if err == nil {
					err = do(i)
				}
				mu.Lock()
				if failed == nil {
					failed = err
				}
				for _, n := range next[i] {
					if waits[n]--; waits[n] == 0 {
						ready <- n
					}
				}
				mu.Unlock()
				wait.Done()
			}
		})
	}
	wait.Wait()
	close(ready)
	workers.Wait()
	return failed
}
