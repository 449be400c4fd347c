package terraform

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// importFile is beside the module's own files while something is taken over.
const importFile = "zz_vivarium_import.tf"

// Adopt takes resources into the state by import blocks, and so changes nothing in the world where the plan has no change. What
// Request.Adopt names is an object: ids, as the resources' providers know them, by addresses within the module.
func (e *Executor) Adopt(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	return e.Apply(ctx, r)
}

// imports puts the import blocks of what is to be taken over beside the module's files, or takes away those that an earlier attempt
// has left: they would bring back what was destroyed since.
func (run *run) imports(ctx context.Context) error {
	file := filepath.Join(run.dir(), importFile)
	if run.request.Adopt == nil {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return run.wrap(ctx, err, "what an adoption of %s has left can't be taken away", run.request.Step)
		}
		return nil
	}
	text, err := run.importBlocks()
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return run.wrap(ctx, err, "the import blocks of %s can't be written", run.request.Step)
	}
	return nil
}

func (run *run) importBlocks() ([]byte, error) {
	step := run.request.Step
	var ids map[string]string
	if err := json.Unmarshal(run.request.Adopt, &ids); err != nil || len(ids) == 0 {
		return nil, fault.New(fault.GiveUp, fault.Invalid, "%s is taken over by an object of ids, as text, by the addresses of resources in its module", step)
	}
	file := hclwrite.NewEmptyFile()
	for _, address := range slices.Sorted(maps.Keys(ids)) {
		_, diags := hclsyntax.ParseTraversalAbs([]byte(address), "address", hcl.InitialPos)
		if diags.HasErrors() {
			return nil, fault.New(fault.GiveUp, fault.Invalid, "%q is no address of a resource in the module of %s: want one such as docker_network.main", address, step)
		}
		block := file.Body().AppendNewBlock("import", nil).Body()
		block.SetAttributeRaw("to", hclwrite.Tokens{{Type: hclsyntax.TokenIdent, Bytes: []byte(address)}})
		block.SetAttributeValue("id", cty.StringVal(ids[address]))
	}
	return file.Bytes(), nil
}
