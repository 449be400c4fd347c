package action

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// call is an HTTP call as a request brings it.
type call struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Status  []int             `json:"status"`
	Timeout string            `json:"timeout"`
}

var callSpec = &hcldec.BlockSpec{TypeName: "http", Nested: &hcldec.ObjectSpec{
	"method":  &hcldec.AttrSpec{Name: "method", Type: cty.String},
	"url":     &hcldec.AttrSpec{Name: "url", Type: cty.String, Required: true},
	"headers": &hcldec.AttrSpec{Name: "headers", Type: cty.Map(cty.String)},
	"body":    &hcldec.AttrSpec{Name: "body", Type: cty.String},
	"status":  &hcldec.AttrSpec{Name: "status", Type: cty.List(cty.Number)},
	"timeout": &hcldec.AttrSpec{Name: "timeout", Type: cty.String},
}}

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// check finds what is wrong with an action as a whole, as far as it is known.
func check(body cty.Value) hcl.Diagnostics {
	has := func(name string) bool { return !body.GetAttr(name).IsNull() }
	wrong := func(detail string) hcl.Diagnostics {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Invalid action", Detail: detail}}
	}
	switch {
	case has("command") == has("http"):
		return wrong("An action has either a command or an http block.")
	case !has("http"):
		return nil
	}
	for _, name := range []string{"environment", "files", "app"} {
		if has(name) {
			return wrong("\"" + name + "\" goes with a command, not with an http block.")
		}
	}
	if http, _ := body.GetAttr("http").Unmark(); http.IsKnown() {
		c := call{Method: text(http.GetAttr("method")), URL: text(http.GetAttr("url")), Timeout: text(http.GetAttr("timeout"))}
		if err := c.wrong(); err != "" {
			return wrong(err)
		}
	}
	return nil
}

// wrong says what is wrong with the parts that are there, "" when nothing is.
func (c *call) wrong() string {
	if c.Method != "" && !slices.Contains(methods, c.Method) {
		return "The method of a call is one of " + strings.Join(methods, ", ") + "."
	}
	if c.URL != "" {
		if u, err := url.Parse(c.URL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return "The url of a call has to be http://HOST/PATH or https://HOST/PATH."
		}
	}
	if d, err := time.ParseDuration(c.Timeout); c.Timeout != "" && (err != nil || d <= 0) {
		return "The timeout of a call has to be a duration such as \"10s\"."
	}
	for _, s := range c.Status {
		if s < 100 || s > 599 {
			return "The status of a call lists numbers from 100 to 599."
		}
	}
	return ""
}

// check does so once all is known.
func (c *call) check(r executor.Request) error {
	wrong := c.wrong()
	switch {
	case c.URL == "":
		wrong = "The url of a call is empty."
	case wrong == "":
		for name, value := range c.Headers {
			if !validHeader(name, value) {
				wrong = "A header of a call has a name or a value that HTTP does not allow."
			}
		}
	}
	if wrong != "" {
		return fault.New(fault.GiveUp, fault.Invalid, "%s: %s", r.Step, wrong)
	}
	return nil
}

// validHeader asks the standard library, which checks again when it sends but names the value in its error.
func validHeader(name, value string) bool {
	token := func(r rune) bool {
		return !(r < 127 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)))
	}
	control := func(r rune) bool { return r == 127 || (r < ' ' && r != '\t') }
	return name != "" && strings.IndexFunc(name, token) < 0 && strings.IndexFunc(value, control) < 0 && !strings.EqualFold(name, "Content-Length")
}

// expects tells whether a status is what the block asks for.
func (c *call) expects(status int) bool {
	if len(c.Status) == 0 {
		return status >= 200 && status < 300
	}
	return slices.Contains(c.Status, status)
}

func (c *call) method() string {
	if c.Method == "" {
		return http.MethodGet
	}
	return c.Method
}
