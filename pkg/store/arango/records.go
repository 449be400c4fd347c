package arango

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// The documents of records: the record's JSON as data, and beside it what is asked for. A fingerprint covers what the edges
// are made of.

func environmentDocument(r environment.Record) (document, error) {
	data, err := encode(r)
	if err != nil {
		return nil, err
	}
	templates := []document{}
	var templateKeys, versionKeys, commits, tagKeys []string
	for _, t := range r.Templates {
		templates = append(templates, document{"name": t.Name, "version": t.Version, "hash": t.Hash, "commit": t.Commit,
			"key": placeOf(t.Name) + "00" + placeOf(t.Version)})
		templateKeys = append(templateKeys, keyOf(t.Name), keyOf(t.Name, t.Version))
		versionKeys = append(versionKeys, keyOf(t.Version))
		commits = append(commits, short(t.Commit))
	}
	for _, tag := range r.Tags {
		tagKeys = append(tagKeys, keyOf(tag))
	}
	name, tags, description := store.Words(r.Name), store.Words(strings.Join(r.Tags, " ")), store.Words(r.Description)
	listed := slices.Concat(name, tags, description)
	return document{"_key": keyOf(r.Name), "place": placeOf(r.Name), "wide_place": wide(r.Name, ""), "environment": r.Name,
		"kind": store.EnvironmentHit, "address": "", "status": r.Status, "description": r.Description, "tags": list(r.Tags),
		"tag_keys": list(tagKeys), "templates": templates, "template_keys": list(templateKeys), "version_keys": list(versionKeys),
		"commits": list(commits), "beginnings": beginnings(listed), "created": store.Microseconds(r.CreatedAt), "updated": store.Microseconds(r.UpdatedAt),
		"status_place": placeOf(string(r.Status)), "health": store.HealthOf(r), "drift": strconv.FormatBool(r.Drifted > 0),
		"words": cutWords(slices.Concat(listed, store.Words(store.SearchText(r.Outputs)))), "name_words": cutWords(name),
		"tag_words": cutWords(tags), "description_words": cutWords(description),
		"fingerprint": keyOf(slices.Sorted(slices.Values(hashes(r)))...), "data": data}, nil
}

func hashes(r environment.Record) []string {
	var all []string
	for _, t := range r.Templates {
		all = append(all, t.Hash)
	}
	return all
}

func resourceDocument(r environment.ResourceRecord) (document, error) {
	data, err := encode(r)
	if err != nil {
		return nil, err
	}
	name, description := store.Words(r.Address), store.Words(r.Description)
	return document{"_key": keyOf(r.Environment, r.Address), "home": keyOf(r.Environment), "place": placeOf(r.Address),
		"wide_place": wide(r.Environment, r.Address), "environment": r.Environment, "address": r.Address, "kind": store.ResourceHit,
		"status": r.Status, "type": r.Type, "executor": r.Executor, "group": r.Group, "template": r.Template,
		"description": r.Description, "created_by": r.CreatedBy, "operation_key": keyOf(r.Environment, r.CreatedBy),
		"words":      cutWords(slices.Concat(name, description, store.Words(store.SearchText(r.Outputs)))),
		"name_words": cutWords(name), "description_words": cutWords(description),
		"fingerprint": resourceFingerprint(r), "data": data}, nil
}

func resourceFingerprint(r environment.ResourceRecord) string {
	parts := append([]string{r.CreatedBy}, slices.Sorted(slices.Values(r.DependsOn))...)
	for _, c := range r.Consumes {
		parts = append(append(parts, "consumes", c.Environment, c.Output), c.Resources...)
	}
	return keyOf(parts...)
}

func operationDocument(o environment.OperationRecord) (document, error) {
	data, err := encode(o)
	if err != nil {
		return nil, err
	}
	return document{"_key": keyOf(o.Environment, o.ID), "home": keyOf(o.Environment), "place": placeOf(o.ID),
		"environment": o.Environment, "id": o.ID, "started": o.StartedAt.UnixMicro(), "status": o.Status,
		"asker": keyOf(o.RequestedBy), "data": data}, nil
}

// ends of edges.
func resourceID(environment, address string) string {
	return "resources/" + keyOf(environment, address)
}
func environmentID(name string) string { return "environments/" + keyOf(name) }

// targetID is that of a resource, or of an environment as a whole.
func targetID(environment, address string) string {
	if address == "" {
		return environmentID(environment)
	}
	return resourceID(environment, address)
}

func edge(from, to, home, output string) document {
	return document{"_key": keyOf(from, to, output), "_from": from, "_to": to, "home": home}
}

// linkEnvironment ties an environment to the templates that it was made from.
func (b *batch) linkEnvironment(r environment.Record) {
	for _, t := range r.Templates {
		b.environmentEdges["created_by"] = append(b.environmentEdges["created_by"],
			edge(environmentID(r.Name), "templates/"+keyOf(t.Hash), keyOf(r.Name), ""))
	}
}

// linkResource ties a resource to all that its record names.
func (b *batch) linkResource(r environment.ResourceRecord) {
	from, home := resourceID(r.Environment, r.Address), keyOf(r.Environment)
	add := func(kind string, d document) { b.resourceEdges[kind] = append(b.resourceEdges[kind], d) }
	add("member_of", edge(from, environmentID(r.Environment), home, ""))
	if r.CreatedBy != "" {
		add("created_by", edge(from, "operations/"+keyOf(r.Environment, r.CreatedBy), home, ""))
	}
	leads := func(kind store.EdgeKind, environment, address, output string) {
		d := edge(from, targetID(environment, address), home, output)
		d["kind"], d["output"] = kind, output
		d["environment"], d["source"], d["place"] = r.Environment, r.Address, wide(r.Environment, r.Address)
		d["target_environment"], d["target"], d["target_home"] = environment, address, keyOf(environment)
		d["target_place"] = placeOf(address)
		add(string(kind), d)
	}
	for _, on := range r.DependsOn {
		leads(store.DependsOn, r.Environment, on, "")
	}
	for _, c := range r.Consumes {
		for _, address := range c.Targets() {
			leads(store.Consumes, c.Environment, address, c.Output)
		}
	}
}
