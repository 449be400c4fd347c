package environment

import "encoding/json"

// Public is the fact as subscribers see it: without sealed values that are for later, and without the graph, which can be large
// and is to be had from the API.
func Public(b Body) any {
	if a, is := b.(abridged); is {
		return a.public()
	}
	return b
}

// PublicData is the data of a journal entry as subscribers see it. Most facts say all to everybody, and are not looked into.
func PublicData(typ string, data json.RawMessage) (json.RawMessage, error) {
	if !abridgedTypes[typ] {
		return data, nil
	}
	body, err := DecodeBody(typ, data)
	if err != nil {
		return nil, err
	}
	return json.Marshal(Public(body))
}

type abridged interface{ public() any }

var abridgedTypes = func() map[string]bool {
	types := map[string]bool{}
	for _, b := range Bodies() {
		if _, is := b.(abridged); is {
			types[b.Type()] = true
		}
	}
	return types
}()

func (b Created) public() any { return PublicCreated{Created: b, Steps: len(b.Nodes)} }
func (b Updated) public() any {
	p := PublicUpdated{Updated: b}
	for _, parting := range b.Partings {
		p.Partings = append(p.Partings, parting.Step)
	}
	return p
}

func (b StatusPlanning) public() any {
	return PublicPlanning{StatusPlanning: b, Steps: len(b.Steps)}
}

// PublicUpdated is Updated without the nodes.
type PublicUpdated struct {
	Updated
	Nodes    []Node   `json:"nodes,omitempty"`    // always empty; hides Updated.Nodes
	Partings []string `json:"partings,omitempty"` // steps of Updated.Partings
}

// PublicPlanning is StatusPlanning with the number of its steps instead of the steps.
type PublicPlanning struct {
	StatusPlanning
	Steps int      `json:"steps"`
	Part  []string `json:"part,omitempty"` // always empty; hides StatusPlanning.Part
}

// PublicCreated is Created with the number of its nodes instead of the nodes.
type PublicCreated struct {
	Created
	Nodes []Node `json:"nodes,omitempty"` // always empty; hides Created.Nodes
	Steps int    `json:"steps"`
}

// RoutingKey is the key under which an event of an environment is published on the exchange of events:
// environment.<name>.<what happened>, where what happens to the environment itself goes without a prefix.
func RoutingKey(environment, typ string) string {
	const own = "environment."
	if len(typ) > len(own) && typ[:len(own)] == own {
		typ = typ[len(own):]
	}
	if environment == "" {
		environment = "_"
	}
	return own + environment + "." + typ
}
