package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// actVariable tells the test binary, when it is started as a plugin, which one it is.
const actVariable = "PLUGIN_TEST_ACT"

func TestMain(m *testing.M) {
	if os.Getenv(handshake.MagicCookieKey) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	switch os.Getenv(actVariable) {
	case "":
		Serve(unruly{})
	case "later version":
		later := handshake
		later.ProtocolVersion++
		goplugin.Serve(&goplugin.ServeConfig{HandshakeConfig: later, Plugins: goplugin.PluginSet{name: served{}}, Logger: hclog.NewNullLogger(),
			GRPCServer: goplugin.DefaultGRPCServer})
	case "no plugin":
		fmt.Println("I am something else")
	case "inspects":
		Serve(inspecting{})
	}
}

// unruly does what its inputs say.
type unruly struct{}

type orders struct {
	Do   string   `json:"do"`
	Word string   `json:"word"`
	Many []string `json:"many"`
}

var unrulyKind = template.Kind{
	Name: "unruly", Retry: &environment.RetryPolicy{Attempts: 2, Backoff: time.Second, MaxBackoff: time.Minute}, Timeout: time.Hour, Static: []string{"do"},
	Spec: hcldec.ObjectSpec{
		"do":   &hcldec.AttrSpec{Name: "do", Type: cty.String, Required: true},
		"word": template.SensitiveSpec(&hcldec.AttrSpec{Name: "word", Type: cty.Object(map[string]cty.Type{"a": cty.List(cty.Number)})}),
		"many": &hcldec.BlockListSpec{TypeName: "many", MinItems: 1, Nested: hcldec.ObjectSpec{
			"any": &hcldec.AttrSpec{Name: "any", Type: cty.DynamicPseudoType},
			"one": &hcldec.BlockSpec{TypeName: "one", Required: true, Nested: hcldec.ObjectSpec{}},
		}},
		"named": &hcldec.BlockMapSpec{TypeName: "named", LabelNames: []string{"name"}, Nested: hcldec.ObjectSpec{}},
	},
	Outputs: map[string]template.Output{"said": {Type: cty.String, Sensitive: true, Description: "What it said."}},
}

func (unruly) Kind() template.Kind { return unrulyKind }

func (unruly) Target(r executor.Request) string { return "server of " + r.Environment }

func (unruly) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	var o orders
	if err := json.Unmarshal(r.Inputs, &o); err != nil {
		return nil, err
	}
	switch o.Do {
	case "crash":
		os.Exit(3)
	case "panic":
		panic("on purpose")
	case "hang":
		r.Log("out", "hanging")
		select {}
	case "wait":
		r.Log("out", "waiting")
		<-ctx.Done()
		return nil, fault.From(ctx.Err())
	case "print":
		fmt.Fprintln(os.Stderr, "printed: "+o.Word)
	case "fail":
		return nil, fault.New(fault.Wait, "out-of-paper", "no paper for %s", o.Word)
	case "no json":
		return executor.Outputs{"said": {Value: json.RawMessage("{")}}, nil
	case "nothing":
		return nil, nil
	case "large":
		return executor.Outputs{"said": {Value: json.RawMessage(`"` + strings.Repeat("x", maxMessage) + `"`)}}, nil
	case "variables":
		text, _ := json.Marshal(os.Environ())
		return executor.Outputs{"said": {Value: text}}, nil
	case "state":
		for _, state := range [][]byte{[]byte("one"), {}, nil} {
			if err := r.SaveState(ctx, state); err != nil {
				return nil, err
			}
		}
		r.Progress(event.Progress{Message: "saved", Done: 3, Total: 3})
	case "pid":
		return executor.Outputs{"said": {Value: json.RawMessage(fmt.Sprint(os.Getpid()))}}, nil
	case "deaf": // to everything but SIGKILL
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		r.Log("out", fmt.Sprint(os.Getpid()))
		select {}
	}
	word, _ := json.Marshal(o.Word)
	return executor.Outputs{"said": {Value: word}}, nil
}

func (unruly) Destroy(context.Context, executor.Request) error { return nil }

func (unruly) Plan(context.Context, executor.Request, event.Verb) (executor.Plan, error) {
	return executor.Plan{Plan: event.Plan{Change: "something"}}, nil
}

func (unruly) Observe(context.Context, executor.Request) (event.Observation, error) {
	return event.Observation{Presence: event.Present, Differences: []event.Difference{{Path: "a", Change: event.ChangeUpdate, Before: "hunter2-hunter2"}}}, nil
}

// inspecting has a kind that can't be told in data.
type inspecting struct{ unruly }

func (inspecting) Kind() template.Kind {
	k := unrulyKind
	k.Spec = hcldec.ObjectSpec{"a": &hcldec.LiteralSpec{Value: cty.True}}
	return k
}
