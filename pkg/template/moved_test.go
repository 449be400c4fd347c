package template

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestMovesAreReadWithChainsInTheirOrder(t *testing.T) {
	tpl, err := compileText(head + `
		resource "box" "c" { image = "i" }
		resource "box" "many" {
			for_each = toset(["x"])
			image    = "i"
		}
		moved {
			from = resource.box.b
			to   = resource.box.c
		}
		moved {
			from = resource.box.a
			to   = resource.box.b
		}
		moved {
			from = resource.box.single
			to   = resource.box.many["x"]
		}
		moved {
			from = resource.box.counted[0]
			to   = resource.box.many["y"]
		}`)
	require.NoError(t, err)
	var moves []string
	for _, m := range tpl.Moves() {
		moves = append(moves, m.From.String()+" -> "+m.To.String())
	}
	require.Equal(t, []string{"resource.box.a -> resource.box.b", "resource.box.b -> resource.box.c",
		`resource.box.single -> resource.box.many["x"]`, `resource.box.counted[0] -> resource.box.many["y"]`}, moves)
	require.True(t, tpl.Moves()[0].Whole())
	require.False(t, tpl.Moves()[2].Whole())
}

func TestMovesThatCannotBe(t *testing.T) {
	move := func(from, to string) string { return "\nmoved {\n from = " + from + "\n to = " + to + "\n}\n" }
	for _, c := range []struct{ name, text, want string }{
		{"nowhere", move("resource.box.a", "resource.box.wep"), `There is no resource.box.wep. Did you mean "web"?`},
		{"still there", move("resource.box.db", "resource.box.web"), "resource.box.db is declared at template.hcl"},
		{"still there as one", move("resource.box.db", `resource.box.many["x"]`), "resource.box.db is declared at template.hcl"},
		{"in a circle", move("resource.box.a", "resource.box.b") + move("resource.box.b", "resource.box.a"), "moved in a circle"},
		{"twice from", move("resource.box.a", "resource.box.web") + move("resource.box.a", `resource.box.many["x"]`), "resource.box.a is moved twice"},
		{"twice to", move("resource.box.a", "resource.box.web") + move("resource.box.b", "resource.box.web"), "Two are moved to resource.box.web"},
		{"to itself", move("resource.box.a", "resource.box.a"), "moved to where it is"},
		{"another kind", move("resource.module.a", "resource.box.web"), "stays of its kind"},
		{"no instances", move("resource.box.a", `resource.box.web["x"]`), "so it has no instances"},
		{"a number", move("resource.box.a", "resource.box.many[0]"), "has a text as its key"},
		{"which", move(`resource.box.a["x"]`, "resource.box.many"), "one of its instances has to be chosen"},
		{"a key to work out", move("resource.box.a", "resource.box.many[param.region]"), "has to be written out"},
		{"an output", move("resource.box.a", "resource.box.web.outputs.url"), "A move is from and to a resource"},
		{"a text", move(`"resource.box.a"`, "resource.box.web"), "A move is from and to a resource"},
		{"nothing", "\nmoved {\n from = resource.box.a\n}\n", `"to" is required`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := compileText(head + `
				resource "box" "web" { image = "i" }
				resource "box" "db" { image = "i" }
				resource "box" "many" {
					for_each = toset(["x"])
					image    = "i"
				}` + c.text)
			requireFault(t, err, fault.InvalidTemplate, c.want)
		})
	}
}
