package arango

// The collections, and what of them is indexed. A change to any of this is a step of migrate.

// index is a persistent index of a collection.
type index struct {
	fields []string
	unique bool
}

func by(fields ...string) index { return index{fields: fields} }

var documents = map[string][]index{
	"meta":       nil, // single values: schema, epoch, cursor_key, secondaries
	"counters":   nil, // taken exclusively by who writes log lines
	"partitions": nil,
	"relays":     nil,
	"entries":    {{fields: []string{"partition", "seq"}, unique: true}, by("home", "seq", "partition")},
	"snapshots":  {by("partition", "place")},
	"templates":  nil,
	"states":     {by("home")},
	"environments": {by("place"), by("status", "place"), by("tag_keys[*]"), by("template_keys[*]"), by("version_keys[*]"),
		by("commits[*]"), by("beginnings[*]"), by("status_place", "place"), by("created", "place"), by("updated", "place")},
	"resources":     {by("home", "place")},
	"operations":    {by("home", "started", "place"), by("asker"), by("place")},
	"asides":        {by("at")},
	"aside_entries": {by("aside", "seq")},
	"aside_states":  nil,
	"log_steps":     {by("home")},
	"log_chunks":    {by("home", "id"), by("step_of", "id"), by("step_key", "attempt", "first")},
}

var edges = map[string][]index{
	"depends_on": {by("home")},
	"consumes":   {by("home"), by("target_home")},
	"created_by": {by("home")},
	"member_of":  {by("home")},
}

// edgeKinds in the order in which they are written.
var edgeKinds = []string{"depends_on", "consumes", "created_by", "member_of"}

// definition says what an edge leads from and to.
type definition struct {
	edge     string
	from, to []string
}

var definitions = []definition{
	{"depends_on", []string{"resources"}, []string{"resources"}},
	{"consumes", []string{"resources"}, []string{"resources", "environments"}},
	{"created_by", []string{"resources", "environments"}, []string{"operations", "templates"}},
	{"member_of", []string{"resources"}, []string{"environments"}},
}

const (
	graphName = "vivarium"
	viewName  = "hits"
	// schemaVersion is what this build makes and knows.
	schemaVersion = 3
)

// searched are the fields of the view, by collection; all of them are arrays of words, or single words.
var searched = map[string][]string{
	"environments": {"kind", "words", "name_words", "tag_words", "description_words"},
	"resources":    {"kind", "words", "name_words", "description_words"},
}
