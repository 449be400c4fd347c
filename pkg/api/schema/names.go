package schema

import (
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// createdName and updatedName are those of the facts that an environment begins, or becomes another, as they are published.
const (
	createdName = "Created"
	updatedName = "Updated"
)

// names of types that say too little, or too much, outside of their package.
var names = map[string]string{
	"bus.Status":                "BusStatus",
	"environment.Created":       "CreatedWhole",
	"environment.PublicCreated": createdName,
	"environment.Updated":       "UpdatedWhole",
	"environment.PublicUpdated": updatedName,
	"environment.Record":        "Environment",
	"environment.Template":      "TemplateReference",
	"environment.Node":          "Node",
	"fault.Error":               "Error",
	"store.Entry":               "JournalEntry",
	"store.Info":                "StoreInfo",
	"store.LogRecord":           "LogRecord",
}

// nameOf is the type's name in documents: "Record" is dropped from records, and a page of T is a TList.
func nameOf(t reflect.Type) string {
	qualified := t.String()
	if name, ok := names[qualified]; ok {
		return name
	}
	if generic, ok := strings.CutPrefix(qualified, "wire.List["); ok {
		element, _ := t.FieldByName("Items")
		if element.Type != nil && generic != "" {
			return nameOf(element.Type.Elem()) + "List"
		}
	}
	if strings.HasPrefix(qualified, "environment.") {
		return strings.TrimSuffix(t.Name(), "Record")
	}
	return t.Name()
}

var enums = map[reflect.Type][]any{
	reflect.TypeFor[environment.Status](): list(environment.Statuses()...),
	reflect.TypeFor[environment.StepState](): list(environment.StateBlocked, environment.StateQueued, environment.StateWaiting,
		environment.StateRunning, environment.StateComplete, environment.StateError, environment.StateSkipped, environment.StateUncertain),
	reflect.TypeFor[environment.OperationKind](): list(environment.CreateOperation, environment.DestroyOperation, environment.RetryOperation,
		environment.RunOperation, environment.UpdateOperation, environment.CheckOperation,
		environment.PlanOperation),
	reflect.TypeFor[environment.Occasion](): list(environment.Occasions()...),
	reflect.TypeFor[environment.OperationStatus](): list(environment.OperationRunning, environment.OperationCancelling,
		environment.OperationSucceeded, environment.OperationFailed, environment.OperationCancelled),
	reflect.TypeFor[environment.ReasonCode](): list(environment.BecauseDependency, environment.BecauseDependencyFailed,
		environment.BecauseEnvironmentLimit, environment.BecausePoolLimit, environment.BecauseNoRunner, environment.BecauseBreaker,
		environment.BecauseBackoff, environment.BecausePaused, environment.BecauseOffered, environment.BecauseLost, environment.BecauseCancelled, environment.BecauseUncertain, environment.BecauseTakeover, environment.BecauseAuthority,
		environment.BecauseApproval, environment.BecauseEnvironment,
		environment.BecauseNoExecutor),
	reflect.TypeFor[event.HealthStatus](): list(event.HealthStatuses()...),
	reflect.TypeFor[event.Verb]():         list(event.Apply, event.Destruct, event.Validate, event.Propose, event.Observe),
}

func list[T any](values ...T) []any {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = v
	}
	return all
}

// values gives the types with a fixed set of values their enum.
func values(t reflect.Type) *jsonschema.Schema {
	if enum, ok := enums[t]; ok {
		return &jsonschema.Schema{Type: "string", Enum: enum}
	}
	return nil
}
