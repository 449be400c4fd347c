package template

import (
	"testing"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestDynamicBlocksThatAreWrong(t *testing.T) {
	for body, says := range map[string]string{
		`dynamic "expose" {
			for_each = [1]
			content { port = nobody.value }
		}`: "nobody",
		`dynamic "nothing" {
			for_each = [1]
			content { port = 1 }
		}`: "nothing",
		`dynamic "expose" { content { port = 1 } }`: "for_each",
	} {
		_, err := compileText(head + "resource \"box\" \"a\" {\n image = \"i\"\n " + body + "\n}\n")
		requireFault(t, err, fault.InvalidTemplate, says)
	}
}
