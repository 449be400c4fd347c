package container

import (
	"encoding/json"

	"github.com/vivarium-env/vivarium/pkg/executor"
)

// Outputs are what the resource puts out, see Kind.
type Outputs struct {
	Names     []string
	ImageID   string
	Addresses []string
	Ports     map[string]int
	URL       string
	Host      string
}

// Values are the outputs for the port; what holds a secret of the request is marked.
func (o Outputs) Values(r executor.Request) executor.Outputs {
	if o.Names == nil {
		o.Names = []string{}
	}
	if o.Addresses == nil {
		o.Addresses = []string{}
	}
	if o.Ports == nil {
		o.Ports = map[string]int{}
	}
	values := executor.Outputs{}
	for name, v := range map[string]any{
		"names": o.Names, "image_id": o.ImageID, "addresses": o.Addresses, "ports": o.Ports, "url": o.URL, "host": o.Host,
	} {
		text, err := json.Marshal(v)
		if err != nil {
			text = json.RawMessage("null") // strings and numbers can always be written
		}
		values[name] = executor.Value{Value: text, Sensitive: r.Holds(text)}
	}
	return values
}

// URL is that of the first route, "" where there is none.
func (b Block) URL() string {
	if len(b.Expose) == 0 {
		return ""
	}
	e := b.Expose[0]
	scheme := "http"
	if e.TLS {
		scheme = "https"
	}
	path := e.Path
	if path == "/" {
		path = ""
	}
	return scheme + "://" + e.Host + path
}
