package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// effectScript appends to the ledger: one write for each line, so that lines of several processes never mix. Without
// arguments but the first it takes what the action executor says of the step. "cut" is what it writes when it is asked to
// stop before it is over.
const effectScript = `#!/bin/sh
# usage: effect.sh SECONDS [ENVIRONMENT OPERATION STEP ATTEMPT]
environment=${2:-$VIVARIUM_ENVIRONMENT}
what="$environment ${3:-$VIVARIUM_OPERATION} ${4:-$VIVARIUM_STEP} ${5:-$VIVARIUM_ATTEMPT} $$"
note() { printf '%%s %%s %%s\n' "$1" "$what" "$(date +%%s%%N)" >> "%[1]s/$environment"; }
trap 'note cut; exit 130' INT TERM
note start
sleep "$1"
note end
`

const effectModule = `variable "environment" { type = string }
variable "step" { type = string }
variable "script" { type = string }

resource "terraform_data" "effect" {
  input = { script = var.script, environment = var.environment, step = var.step }

  provisioner "local-exec" {
    command = "sh ${self.input.script} 0.05 ${self.input.environment} op-1 ${self.input.step} 0"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "sh ${self.input.script} 0.05 ${self.input.environment} op-2 ${self.input.step} 0"
  }
}
`

// writer puts templates together.
type writer struct {
	strings.Builder
	script string
	pool   string
}

func (w *writer) head(name string) {
	fmt.Fprintf(w, "template %q {\n  version = \"1.0.0\"\n}\n", name)
}

// action is a step with an effect that takes some seconds.
func (w *writer) action(name, seconds string, after ...string) {
	fmt.Fprintf(w, "action %q {\n  command = [\"sh\", %q, %q]\n", name, w.script, seconds)
	if w.pool != "" {
		fmt.Fprintf(w, "  pool = %q\n  retry {\n    attempts = 5\n    backoff  = \"100ms\"\n  }\n", w.pool)
	}
	if len(after) > 0 {
		fmt.Fprintf(w, "  after = [%s]\n", strings.Join(after, ", "))
	}
	w.WriteString("}\n")
}

func (w *writer) noop(name string, after ...string) {
	fmt.Fprintf(w, "resource \"noop\" %q {\n  depends_on = [%s]\n}\n", name, strings.Join(after, ", "))
}

func (w *writer) terraform(template, name string, after ...string) {
	fmt.Fprintf(w, `resource "terraform" %[2]q {
  source     = "./effect"
  pool       = "tofu"
  depends_on = [%[3]s]
  inputs     = { environment = environment.name, step = "%[1]s.terraform.%[2]s", script = %[4]q }
}
`, template, name, strings.Join(after, ", "), w.script)
}

// shapes of the templates: how many steps a create has, and a destroy.
var shapes = map[string]struct{ steps, destroy int }{"matrix": {25, 6}, "mixed": {25, 6}, "odd": {25, 6}, "slow": {4, 0}}

// matrix has 25 steps: a fan-out of eight behind one, a chain of eight, and resources between them.
func (w *writer) matrix(name string, terraform bool) {
	w.head(name)
	w.action("first", "0.02")
	var fan []string
	for i := range 8 {
		w.action(fmt.Sprint("fan", i), "0.05", "action.first")
		fan = append(fan, fmt.Sprint("action.fan", i))
	}
	for i := range 5 {
		if i == 0 && terraform {
			w.terraform(name, "n0", fan[0])
		} else {
			w.noop(fmt.Sprint("n", i), fan[i])
		}
	}
	before := "action.fan7"
	for i := range 8 {
		w.action(fmt.Sprint("chain", i), "0.02", before)
		before = fmt.Sprint("action.chain", i)
	}
	w.action("join", "0.03", append(fan, before, "resource.noop.n4")...)
	w.noop("gate", "action.join")
	w.action("last", "0.01", "resource.noop.gate")
}

// slow has steps that outlast a lease.
func (w *writer) slow(seconds string) {
	w.head("slow")
	w.action("before", "0.01")
	w.action("long0", seconds, "action.before")
	w.action("long1", seconds, "action.before")
	w.action("after", "0.01", "action.long0", "action.long1")
}

// writeCatalogue makes the templates of all tests, and the script that they run.
func writeCatalogue(dir, ledger string) error {
	script := filepath.Join(dir, "effect.sh")
	texts := map[string]func(*writer){
		"matrix": func(w *writer) { w.matrix("matrix", false) },
		"mixed":  func(w *writer) { w.matrix("mixed", true) },
		"slow":   func(w *writer) { w.slow(either("40", "8")) },
		"odd":    func(w *writer) { w.pool = "odd"; w.matrix("odd", false) },
	}
	files := map[string]string{
		"effect.sh":                      fmt.Sprintf(effectScript, ledger),
		"catalogue/mixed/effect/main.tf": effectModule,
	}
	for name, write := range texts {
		w := &writer{script: script}
		write(w)
		files["catalogue/"+name+"/template.hcl"] = w.String()
	}
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return os.MkdirAll(ledger, 0o755)
}
