package arango

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// standIn stands in for ArangoDB, which can't be had here: it answers the requests of the HTTP interface that its
// documentation describes, and refuses all others. It does not understand AQL: it knows the queries by their text and does in
// Go what each says (standin_queries_test.go). So it checks what the driver sends, in what order, and what it makes of the
// answers; whether the AQL is right only a real server can tell.
type standIn struct {
	*testing.T
	http *httptest.Server

	mu       sync.Mutex
	database string
	world    collections // committed
	made     map[string]bool
	running  map[string]collections // transactions
	turn     chan struct{}          // one transaction at a time
	number   int
	requests []string
	token    string
	batches  map[string][]any // cursors
	// fault answers instead of the server when it returns true.
	fault func(what string, w http.ResponseWriter) bool
}

type collections map[string]map[string]map[string]any

func (c collections) clone() collections {
	out := collections{}
	for name, docs := range c {
		out[name] = maps.Clone(docs)
	}
	return out
}

func newStandIn(t *testing.T) *standIn {
	s := &standIn{T: t, world: collections{}, made: map[string]bool{}, running: map[string]collections{}, turn: make(chan struct{}, 1),
		token: "token-1", batches: map[string][]any{}}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.http.Close)
	return s
}

func (s *standIn) options() Options {
	return Options{Endpoints: []string{s.http.URL}, Database: "vivarium", User: "root", Password: "secret", backoff: 1}
}

// asked are the requests so far, as short names.
func (s *standIn) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *standIn) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// refuse answers as the documentation says that errors are answered.
func refuse(w http.ResponseWriter, status, number int, message string) {
	answerJSON(w, status, map[string]any{"error": true, "code": status, "errorNum": number, "errorMessage": message})
}

// exchange is one request and how it is answered.
type exchange struct {
	s    *standIn
	w    http.ResponseWriter
	r    *http.Request
	body map[string]any
	trx  string
}

var requestsKnown = []struct {
	method string
	path   *regexp.Regexp
	fields []string // of the body; nil takes none
	handle func(*exchange, []string)
}{
	{"POST", regexp.MustCompile(`^/_open/auth$`), []string{"username", "password"}, (*exchange).login},
	{"GET", regexp.MustCompile(`^/_api/version$`), nil, func(x *exchange, _ []string) {
		answerJSON(x.w, 200, map[string]any{"server": "arango", "license": "community", "version": "3.12.5"})
	}},
	{"GET", regexp.MustCompile(`^/_db/([a-z]+)/_api/database/current$`), nil, (*exchange).current},
	{"POST", regexp.MustCompile(`^/_db/_system/_api/database$`), []string{"name", "options"}, (*exchange).createDatabase},
	{"POST", regexp.MustCompile(`^/_db/([a-z]+)/_api/collection$`), []string{"name", "type"}, (*exchange).createCollection},
	{"POST", regexp.MustCompile(`^/_db/([a-z]+)/_api/index$`), []string{"type", "fields", "unique", "expireAfter"}, (*exchange).createIndex},
	{"POST", regexp.MustCompile(`^/_db/([a-z]+)/_api/gharial$`), []string{"name", "edgeDefinitions", "isSmart", "options"}, (*exchange).createGraph},
	{"POST", regexp.MustCompile(`^/_db/([a-z]+)/_api/view$`), []string{"name", "type", "links", "commitIntervalMsec"}, (*exchange).createView},
	{"POST", regexp.MustCompile(`^/_db/([a-z]+)/_api/transaction/begin$`), []string{"collections", "waitForSync", "lockTimeout"}, (*exchange).begin},
	{"PUT", regexp.MustCompile(`^/_db/([a-z]+)/_api/transaction/([a-z0-9]+)$`), nil, (*exchange).commit},
	{"DELETE", regexp.MustCompile(`^/_db/([a-z]+)/_api/transaction/([a-z0-9]+)$`), nil, (*exchange).abort},
	{"POST", regexp.MustCompile(`^/_db/([a-z]+)/_api/cursor$`), []string{"query", "bindVars", "batchSize", "options"}, (*exchange).query},
	{"POST", regexp.MustCompile(`^/_db/([a-z]+)/_api/cursor/([a-z0-9]+)$`), nil, (*exchange).next},
}

func (s *standIn) serve(w http.ResponseWriter, r *http.Request) {
	x := &exchange{s: s, w: w, r: r, trx: r.Header.Get("x-arango-trx-id")}
	text, _ := io.ReadAll(r.Body)
	if len(text) > 0 && string(text) != "null\n" && string(text) != "null" {
		if err := json.Unmarshal(text, &x.body); err != nil {
			s.Errorf("%s %s: the body is no JSON object: %.200s", r.Method, r.URL.Path, text)
		}
	}
	for _, known := range requestsKnown {
		found := known.path.FindStringSubmatch(r.URL.Path)
		if r.Method != known.method || found == nil {
			continue
		}
		for field := range x.body {
			if !slices.Contains(known.fields, field) {
				s.Errorf("%s %s has a field %q that the stand-in does not know", r.Method, r.URL.Path, field)
			}
		}
		if !x.allowed() {
			return
		}
		known.handle(x, found)
		return
	}
	s.Errorf("%s %s is not in the documented interface", r.Method, r.URL.Path)
	refuse(w, 404, 404, "unknown path")
}

func (x *exchange) note(what string) (answered bool) {
	x.s.mu.Lock()
	x.s.requests = append(x.s.requests, what)
	fault := x.s.fault
	x.s.mu.Unlock()
	return fault != nil && fault(what, x.w)
}

func (x *exchange) allowed() bool {
	if strings.HasPrefix(x.r.URL.Path, "/_open/") {
		return true
	}
	x.s.mu.Lock()
	token := x.s.token
	x.s.mu.Unlock()
	if token != "" && !strings.EqualFold(x.r.Header.Get("Authorization"), "bearer "+token) {
		refuse(x.w, 401, 11, "not authorized to execute this request")
		return false
	}
	return true
}

func (x *exchange) login([]string) {
	if x.note("auth") {
		return
	}
	if x.body["username"] != "root" || x.body["password"] != "secret" {
		refuse(x.w, 401, 401, "Wrong credentials")
		return
	}
	answerJSON(x.w, 200, map[string]any{"jwt": x.s.token})
}

func (x *exchange) current(found []string) {
	if x.s.database != found[1] {
		refuse(x.w, 404, 1228, "database not found")
		return
	}
	answerJSON(x.w, 200, map[string]any{"error": false, "code": 200, "result": map[string]any{"name": found[1], "id": "1", "isSystem": false}})
}

func (x *exchange) createDatabase([]string) {
	if x.note("create database") {
		return
	}
	require.Equal(x.s, "single", x.body["options"].(map[string]any)["sharding"])
	x.s.database, _ = x.body["name"].(string)
	answerJSON(x.w, 201, map[string]any{"error": false, "code": 201, "result": true})
}

func (x *exchange) create(what, name string, number int) bool {
	x.s.mu.Lock()
	twice := x.s.made[what+name]
	x.s.made[what+name] = true
	x.s.mu.Unlock()
	if twice {
		refuse(x.w, 409, number, "duplicate name")
	}
	return !twice
}

func (x *exchange) createCollection([]string) {
	name, _ := x.body["name"].(string)
	if !x.create("collection", name, 1207) {
		return
	}
	_, isEdge := edges[name]
	require.Equal(x.s, map[bool]float64{true: 3, false: 2}[isEdge], x.body["type"])
	x.s.mu.Lock()
	x.s.world[name] = map[string]map[string]any{}
	x.s.mu.Unlock()
	answerJSON(x.w, 200, map[string]any{"error": false, "code": 200, "name": name})
}

func (x *exchange) createIndex([]string) {
	collection := x.r.URL.Query().Get("collection")
	require.True(x.s, x.s.made["collection"+collection], collection)
	answerJSON(x.w, 201, map[string]any{"error": false, "code": 201, "id": collection + "/1", "type": x.body["type"],
		"fields": x.body["fields"], "name": "idx", "isNewlyCreated": true})
}

func (x *exchange) createGraph([]string) {
	if x.create("graph", "", 1925) {
		require.Len(x.s, x.body["edgeDefinitions"], 4)
		answerJSON(x.w, 202, map[string]any{"error": false, "code": 202, "graph": map[string]any{"name": "vivarium"}})
	}
}

func (x *exchange) createView([]string) {
	if x.create("view", "", 1207) {
		require.Equal(x.s, "arangosearch", x.body["type"])
		require.Len(x.s, x.body["links"], 2)
		answerJSON(x.w, 201, map[string]any{"name": "hits", "type": "arangosearch", "id": "5"})
	}
}

func (x *exchange) begin([]string) {
	if x.note("begin") {
		return
	}
	select {
	case x.s.turn <- struct{}{}:
	case <-x.r.Context().Done():
		return
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.number++
	id := strconv.Itoa(x.s.number)
	x.s.running[id] = x.s.world.clone()
	answerJSON(x.w, 201, map[string]any{"error": false, "code": 201, "result": map[string]any{"id": id, "status": "running"}})
}

func (x *exchange) end(id, what string, keep bool) {
	if x.note(what) {
		return
	}
	x.s.mu.Lock()
	world, ok := x.s.running[id]
	delete(x.s.running, id)
	if ok && keep {
		x.s.world = world
	}
	x.s.mu.Unlock()
	if !ok {
		refuse(x.w, 404, 1655, "transaction not found")
		return
	}
	<-x.s.turn
	answerJSON(x.w, 200, map[string]any{"error": false, "code": 200, "result": map[string]any{"id": id, "status": what}})
}

func (x *exchange) commit(found []string) { x.end(found[2], "commit", true) }
func (x *exchange) abort(found []string)  { x.end(found[2], "abort", false) }

// next is the following batch of a cursor.
func (x *exchange) next(found []string) {
	if x.note("next") {
		return
	}
	x.s.mu.Lock()
	rest, ok := x.s.batches[found[2]]
	delete(x.s.batches, found[2])
	x.s.mu.Unlock()
	if !ok {
		refuse(x.w, 404, 1600, "cursor not found")
		return
	}
	answerJSON(x.w, 200, map[string]any{"error": false, "code": 200, "id": found[2], "result": rest, "hasMore": false})
}

func (x *exchange) query([]string) {
	text, _ := x.body["query"].(string)
	binds, _ := x.body["bindVars"].(map[string]any)
	name := nameOf(text)
	if name == "" {
		x.s.Errorf("a query that is in no file: %.200s", text)
	}
	if x.note(name) {
		return
	}
	given := slices.Sorted(maps.Keys(binds))
	if used := parameters(text); !slices.Equal(used, given) {
		x.s.Errorf("%s uses the parameters %v and is given %v", name, used, given)
	}
	if x.s.database == "" {
		refuse(x.w, 404, 1228, "database not found")
		return
	}
	rows, err := x.s.do(name, x.trx, binds)
	if err != nil {
		refuse(x.w, err.status, err.number, err.message)
		return
	}
	if rows == nil {
		rows = []any{}
	}
	answer := map[string]any{"error": false, "code": 201, "result": rows, "hasMore": false, "cached": false,
		"extra": map[string]any{"stats": map[string]any{}}}
	if size := int(x.body["batchSize"].(float64)); len(rows) > size {
		x.s.mu.Lock()
		x.s.number++
		id := fmt.Sprint(x.s.number)
		x.s.batches[id] = rows[size:]
		x.s.mu.Unlock()
		answer["result"], answer["hasMore"], answer["id"] = rows[:size], true, id
	}
	answerJSON(x.w, 201, answer)
}

func nameOf(text string) string {
	for name, known := range queries {
		if known == text {
			return name
		}
	}
	return ""
}

var parameter = regexp.MustCompile(`@(@?[a-z_]+)`)

// parameters are the names of the bind parameters in a query, as bindVars names them.
func parameters(text string) []string {
	var names []string
	for _, found := range parameter.FindAllStringSubmatch(withoutComments(text), -1) {
		names = append(names, found[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func withoutComments(text string) string {
	lines := strings.Split(text, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "//") }), "\n")
}
