package arango

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// refusal is an error of the server.
type refusal struct {
	status, number int
	message        string
}

var taken = &refusal{409, 1210, "unique constraint violated"}

type doc = map[string]any

// ground is what a query works on: the collections as they are in its transaction.
type ground struct {
	world collections
	binds doc
}

// do what a query says, within a transaction or outside.
func (s *standIn) do(name, trx string, binds doc) ([]any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &ground{world: s.world, binds: binds}
	if trx != "" {
		var ok bool
		if g.world, ok = s.running[trx]; !ok {
			return nil, &refusal{404, 1655, "transaction not found"}
		}
	}
	work, ok := meanings[name]
	if !ok {
		s.Errorf("the stand-in does not know what %s means", name)
		return nil, &refusal{400, 1501, "syntax error"}
	}
	if g.world["meta"] == nil {
		return nil, &refusal{404, 1203, "collection or view not found: meta"}
	}
	return work(g)
}

func (g *ground) text(name string) string { t, _ := g.binds[name].(string); return t }
func (g *ground) num(name string) float64 { n, _ := g.binds[name].(float64); return n }
func (g *ground) list(name string) []any  { l, _ := g.binds[name].([]any); return l }
func (g *ground) limit() int              { return int(g.num("limit")) }

// put writes a copy, so that other transactions keep what they see.
func (g *ground) put(collection, key string, d doc) {
	d = maps.Clone(d)
	if key == "" {
		key = fmt.Sprint("auto-", len(g.world[collection]), "-", d["id"])
	}
	d["_key"], d["_id"] = key, collection+"/"+key
	g.world[collection][key] = d
}

func (g *ground) all(collection string, keep func(doc) bool) []doc {
	var found []doc
	for _, d := range g.world[collection] {
		if keep(d) {
			found = append(found, d)
		}
	}
	return found
}

func where(field string, value any) func(doc) bool {
	return func(d doc) bool { return d[field] == value }
}

func str(v any) string  { t, _ := v.(string); return t }
func num(v any) float64 { n, _ := v.(float64); return n }

func sortedBy(docs []doc, fields ...string) []doc {
	slices.SortFunc(docs, func(a, b doc) int {
		for _, f := range fields {
			if c := cmp.Or(cmp.Compare(num(a[f]), num(b[f])), cmp.Compare(str(a[f]), str(b[f]))); c != 0 {
				return c
			}
		}
		return 0
	})
	return docs
}

func rowsOf(docs []doc, limit int, row func(doc) any) ([]any, *refusal) {
	if limit > 0 && len(docs) > limit {
		docs = docs[:limit]
	}
	rows := []any{}
	for _, d := range docs {
		rows = append(rows, row(d))
	}
	return rows, nil
}

func field(name string) func(doc) any { return func(d doc) any { return d[name] } }

func fields(names ...string) func(doc) any {
	return func(d doc) any {
		out := doc{}
		for _, n := range names {
			out[n] = d[n]
		}
		return out
	}
}

// behind is what is of a partition, and behind a seq.
func (g *ground) behind(field string) func(doc) bool {
	return func(d doc) bool { return d[field] == g.binds["partition"] && num(d["seq"]) > g.num("seq") }
}

func (g *ground) one(collection, key string) (doc, bool) {
	d, ok := g.world[collection][key]
	return d, ok
}

func (g *ground) update(collection, key string, with doc) doc {
	d := maps.Clone(g.world[collection][key])
	maps.Copy(d, with)
	g.put(collection, key, d)
	return d
}

func (g *ground) remove(collection string, drop func(doc) bool) ([]any, *refusal) {
	for key, d := range g.world[collection] {
		if drop(d) {
			delete(g.world[collection], key)
		}
	}
	return nil, nil
}

func contains(list any, value any) bool {
	l, _ := list.([]any)
	return slices.Contains(l, value)
}

func allIn(wanted []any, list any) bool {
	return !slices.ContainsFunc(wanted, func(w any) bool { return !contains(list, w) })
}

// putDocs inserts documents; over replaces, keeps, or (nil) refuses what is there.
func (g *ground) putDocs(collection string, over func(old, now doc) bool, tell func(old, now doc) any) ([]any, *refusal) {
	var rows []any
	for _, v := range g.list("docs") {
		now := v.(doc)
		old := g.world[collection][str(now["_key"])]
		if old == nil || over(old, now) {
			g.put(collection, str(now["_key"]), now)
		}
		if tell != nil {
			rows = append(rows, tell(old, now))
		}
	}
	return rows, nil
}

func always(doc, doc) bool { return true }
func never(doc, doc) bool  { return false }

func single(collection string, row func(doc) any) func(*ground) ([]any, *refusal) {
	return func(g *ground) ([]any, *refusal) {
		c := collection
		if c == "" {
			c = g.text("@collection")
		}
		if d, ok := g.one(c, g.text("key")); ok {
			return []any{row(d)}, nil
		}
		return nil, nil
	}
}

// passes is what all queries for environments look at.
func (g *ground) passes(e doc) bool {
	statuses, health := g.list("statuses"), g.list("health")
	return (len(statuses) == 0 || slices.Contains(statuses, e["status"])) && allIn(g.list("tags"), e["tag_keys"]) &&
		(g.text("template") == "" || contains(e["template_keys"], g.text("template"))) && allIn(g.list("words"), e["beginnings"]) &&
		(len(health) == 0 || slices.Contains(health, e["health"])) && (g.text("drifted") == "" || e["drift"] == g.text("drifted"))
}

func environmentsBy(index string) func(*ground) ([]any, *refusal) {
	return func(g *ground) ([]any, *refusal) {
		found := g.all("environments", func(e doc) bool {
			if index == "status" && len(g.list("statuses")) == 0 || index != "" && index != "status" && !contains(e[index], g.binds["first"]) {
				return false
			}
			return str(e["place"]) > g.text("after") && g.passes(e)
		})
		return rowsOf(sortedBy(found, "place"), g.limit(), field("data"))
	}
}

// environmentsSorted goes along a field, up or down, behind a value and a place.
func environmentsSorted(field string, down bool) func(*ground) ([]any, *refusal) {
	return func(g *ground) ([]any, *refusal) {
		found := g.all("environments", func(e doc) bool {
			by := cmp.Compare(str(e["place"]), g.text("after"))
			if field != "place" {
				by = cmp.Or(cmp.Compare(num(e[field]), g.num("value")), cmp.Compare(str(e[field]), g.text("value")), by)
			}
			return (by > 0 && !down || by < 0 && down) && g.passes(e)
		})
		sortedBy(found, field, "place")
		if down {
			slices.Reverse(found)
		}
		return rowsOf(found, g.limit(), func(e doc) any {
			if field == "place" {
				return doc{"data": e["data"], "value": nil}
			}
			return doc{"data": e["data"], "value": e[field]}
		})
	}
}

func usageBy(index string) func(*ground) ([]any, *refusal) {
	return func(g *ground) ([]any, *refusal) {
		var rows []doc
		for _, e := range g.all("environments", func(e doc) bool { return contains(e[index], g.binds["first"]) }) {
			for _, v := range e["templates"].([]any) {
				t := v.(doc)
				place := str(e["place"]) + "00" + str(t["key"])
				if (g.text("name") == "" || t["name"] == g.text("name")) && (g.text("version") == "" || t["version"] == g.text("version")) &&
					strings.HasPrefix(str(t["commit"]), g.text("commit")) && place > g.text("after") {
					rows = append(rows, doc{"environment": e["environment"], "home": e["_key"], "status": e["status"], "template": t, "place": place})
				}
			}
		}
		return rowsOf(sortedBy(rows, "place"), g.limit(), func(d doc) any { return d })
	}
}

// walk is breadth first along depends_on and consumes.
func walk(near, far string) func(*ground) ([]any, *refusal) {
	return func(g *ground) ([]any, *refusal) {
		starts := []string{g.text("start")}
		if g.binds["whole"] == true {
			for _, r := range g.all("resources", where("home", g.text("home"))) {
				starts = append(starts, str(r["_id"]))
			}
		}
		links := g.links()
		seen := map[string]bool{}
		var order []string
		front := starts
		for depth := 0.0; len(front) > 0; depth++ {
			var after []string
			for _, id := range front {
				if seen[id] {
					continue
				}
				seen[id], order = true, append(order, id)
				for _, e := range links {
					if e[near] == id && depth < g.num("inner") {
						after = append(after, str(e[far]))
					}
				}
			}
			front = after
		}
		var found []doc
		for _, id := range order {
			for _, e := range links {
				if e[near] == id {
					found = append(found, g.linkRow(e, str(e[far])))
				}
			}
		}
		return rowsOf(found, g.limit(), func(d doc) any { return d })
	}
}

func (g *ground) links() []doc {
	every := func(doc) bool { return true }
	return append(g.all("depends_on", every), g.all("consumes", every)...)
}

func (g *ground) linkRow(e doc, far string) doc {
	out := fields("environment", "source", "target_environment", "target", "kind", "output")(e).(doc)
	collection, key, _ := strings.Cut(far, "/")
	if v, ok := g.one(collection, key); ok {
		for _, f := range []string{"status", "type", "executor", "group"} {
			out[f] = v[f]
		}
	}
	return out
}

func shortestPath(g *ground) ([]any, *refusal) {
	came := map[string]doc{g.text("start"): nil}
	for front := []string{g.text("start")}; len(front) > 0; front = front[1:] {
		for _, e := range g.links() {
			if _, seen := came[str(e["_to"])]; e["_from"] == front[0] && !seen {
				came[str(e["_to"])] = e
				front = append(front, str(e["_to"]))
			}
		}
	}
	var rows []any
	for at := came[g.text("end")]; at != nil; at = came[str(at["_from"])] {
		rows = append([]any{g.linkRow(at, "")}, rows...)
	}
	return rows, nil
}

func consumers(g *ground) ([]any, *refusal) {
	found := g.all("consumes", func(c doc) bool {
		r := g.world["resources"][strings.TrimPrefix(str(c["_from"]), "resources/")]
		e := g.world["environments"][str(c["home"])]
		return c["target_home"] == g.text("home") && c["home"] != g.text("home") && r != nil && e != nil &&
			r["status"] != "destroyed" && e["status"] != "destroyed"
	})
	return rowsOf(sortedBy(found, "place", "target_place", "output"), g.limit(), func(d doc) any { return g.linkRow(d, "") })
}

func made(g *ground) ([]any, *refusal) {
	var found []doc
	for _, v := range g.list("sources") {
		s := v.(doc)
		found = append(found, g.all("resources", func(r doc) bool {
			return r["home"] == s["home"] && (s["operation"] == "" || r["created_by"] == s["operation"]) &&
				(s["template"] == "" || r["template"] == s["template"]) && str(r["wide_place"]) > g.text("after")
		})...)
	}
	return rowsOf(sortedBy(found, "wide_place"), g.limit(), func(r doc) any {
		return doc{"environment": r["environment"], "address": r["address"], "place": r["wide_place"]}
	})
}

// begins counts how many of the words begin a word of a record.
func begins(wanted []any, words any) (n float64) {
	l, _ := words.([]any)
	for _, w := range wanted {
		if slices.ContainsFunc(l, func(word any) bool { return strings.HasPrefix(str(word), str(w)) }) {
			n++
		}
	}
	return n
}

func search(g *ground) ([]any, *refusal) {
	var rows []doc
	for _, collection := range []string{"environments", "resources"} {
		for _, d := range g.world[collection] {
			words := g.list("words")
			if !slices.Contains(g.list("kinds"), d["kind"]) || begins(words, d["words"]) < g.num("count") {
				continue
			}
			row := fields("kind", "environment", "address", "status", "description", "tags", "wide_place")(d).(doc)
			row["score"] = 8*begins(words, d["name_words"]) + 6*begins(words, d["tag_words"]) + 4*begins(words, d["description_words"]) + begins(words, d["words"])
			rows = append(rows, row)
		}
	}
	rows = sortedBy(rows, "wide_place")
	slices.SortStableFunc(rows, func(a, b doc) int { return cmp.Compare(num(b["score"]), num(a["score"])) })
	return rowsOf(rows, g.limit(), func(d doc) any { delete(d, "wide_place"); return d })
}

func readLogs(key string, newest bool) func(*ground) ([]any, *refusal) {
	return func(g *ground) ([]any, *refusal) {
		found := sortedBy(g.all("log_chunks", func(c doc) bool {
			return c[key] == g.text("key") && num(c["id"]) > g.num("low") && num(c["id"])+num(c["lines"])-1 > g.num("after") &&
				(g.num("attempt") == 0 || c["attempt"] == g.num("attempt")) && (g.text("operation") == "" || c["operation"] == g.text("operation"))
		}), "id")
		if newest {
			slices.Reverse(found)
		}
		return rowsOf(found, g.limit(), fields("id", "operation", "step", "attempt", "first", "data"))
	}
}

func chunksNewestFirst(key string) func(*ground) ([]any, *refusal) {
	return func(g *ground) ([]any, *refusal) {
		found := sortedBy(g.all("log_chunks", where(key, g.text("key"))), "id")
		slices.Reverse(found)
		return rowsOf(found, 0, fields("id", "lines"))
	}
}

func pruneChunks(key string) func(*ground) ([]any, *refusal) {
	return func(g *ground) ([]any, *refusal) {
		return g.remove("log_chunks", func(c doc) bool { return c[key] == g.text("key") && num(c["id"]) <= g.num("last") })
	}
}

// count adds to a number of a document that may be missing.
func (g *ground) count(collection, key, field string, initial, more float64, with doc) []any {
	d, ok := g.one(collection, key)
	if !ok {
		d = doc{field: initial}
	}
	d = maps.Clone(d)
	d[field] = num(d[field]) + more
	maps.Copy(d, with)
	g.put(collection, key, d)
	return []any{d[field]}
}

var meanings = map[string]func(*ground) ([]any, *refusal){
	"meta_get": single("meta", field("value")),
	"meta_put": func(g *ground) ([]any, *refusal) {
		g.put("meta", g.text("key"), doc{"value": g.binds["value"]})
		return nil, nil
	},
	"meta_init": func(g *ground) ([]any, *refusal) {
		if _, ok := g.one("meta", g.text("key")); !ok {
			g.put("meta", g.text("key"), doc{"value": g.binds["value"]})
		}
		return nil, nil
	},
	"partition_first": func(g *ground) ([]any, *refusal) {
		if _, ok := g.one("partitions", g.text("key")); ok {
			return nil, taken
		}
		g.put("partitions", g.text("key"), doc{"seq": g.binds["seq"], "token": g.binds["token"], "epoch": g.binds["epoch"]})
		return nil, nil
	},
	"partition_advance": func(g *ground) ([]any, *refusal) {
		if p, ok := g.one("partitions", g.text("key")); ok && p["seq"] == g.binds["before"] {
			g.update("partitions", g.text("key"), doc{"seq": g.binds["seq"], "token": g.binds["token"]})
			return []any{g.binds["seq"]}, nil
		}
		return nil, nil
	},
	"partition_touch": func(g *ground) ([]any, *refusal) {
		if _, ok := g.one("partitions", g.text("key")); ok {
			g.update("partitions", g.text("key"), doc{"token": g.binds["token"]})
		}
		return nil, nil
	},
	"partitions_fence": func(g *ground) ([]any, *refusal) {
		for key := range g.world["partitions"] {
			g.update("partitions", key, doc{"epoch": g.binds["epoch"]})
		}
		return nil, nil
	},
	"partition_head": func(g *ground) ([]any, *refusal) {
		p, r := g.world["partitions"][g.text("key")], g.world["relays"][g.text("key")]
		found := doc{"seq": p["seq"], "token": p["token"], "relayed": r["seq"]}
		for _, e := range g.all("entries", func(e doc) bool { return e["partition"] == g.binds["partition"] && e["seq"] == p["seq"] }) {
			found["chain"] = e["chain"]
		}
		return []any{found}, nil
	},
	"partition_heads": func(g *ground) ([]any, *refusal) {
		return rowsOf(g.all("partitions", func(doc) bool { return true }), 0, field("seq"))
	},
	"relay": func(g *ground) ([]any, *refusal) {
		r := g.world["relays"][g.text("key")]
		g.put("relays", g.text("key"), doc{"seq": max(num(r["seq"]), g.num("seq"))})
		return nil, nil
	},
	"put":      func(g *ground) ([]any, *refusal) { return g.putDocs(g.text("@collection"), always, nil) },
	"put_once": func(g *ground) ([]any, *refusal) { return g.putDocs(g.text("@collection"), never, nil) },
	"put_changed": func(g *ground) ([]any, *refusal) {
		return g.putDocs(g.text("@collection"), always, func(old, now doc) any { return doc{"key": now["_key"], "before": old["fingerprint"]} })
	},
	"put_entries": func(g *ground) ([]any, *refusal) {
		for _, v := range g.list("docs") {
			e := v.(doc)
			key := fmt.Sprint(e["partition"], "-", e["seq"])
			if _, ok := g.one("entries", key); ok {
				return nil, taken
			}
			g.put("entries", key, e)
		}
		return nil, nil
	},
	"put_snapshots": func(g *ground) ([]any, *refusal) {
		return g.putDocs("snapshots", func(old, now doc) bool { return num(now["seq"]) >= num(old["seq"]) }, nil)
	},
	"clear_resources": func(g *ground) ([]any, *refusal) { return g.remove("resources", where("home", g.text("home"))) },
	"clear_edges":     func(g *ground) ([]any, *refusal) { return g.remove(g.text("@edges"), where("home", g.text("home"))) },
	"unlink": func(g *ground) ([]any, *refusal) {
		return g.remove(g.text("@edges"), func(e doc) bool { return slices.Contains(g.list("ids"), e["_from"]) })
	},
	"clear_states": func(g *ground) ([]any, *refusal) { return g.remove("states", where("home", g.text("home"))) },
	"remove": func(g *ground) ([]any, *refusal) {
		return g.remove(g.text("@collection"), func(d doc) bool { return slices.Contains(g.list("keys"), d["_key"]) })
	},
	"cut_entries": func(g *ground) ([]any, *refusal) { return g.remove("entries", g.behind("partition")) },
	"cut_snapshots": func(g *ground) ([]any, *refusal) {
		for _, s := range g.all("snapshots", g.behind("partition")) {
			g.update("snapshots", str(s["_key"]), doc{"seq": g.binds["seq"]})
		}
		return nil, nil
	},
	"cut_relay": func(g *ground) ([]any, *refusal) {
		if r, ok := g.one("relays", g.text("key")); ok && num(r["seq"]) > g.num("seq") {
			g.update("relays", g.text("key"), doc{"seq": g.binds["seq"]})
		}
		return nil, nil
	},
	"clear_operations": func(g *ground) ([]any, *refusal) { return g.remove("operations", where("home", g.text("home"))) },
	"aside_put_entries": func(g *ground) ([]any, *refusal) {
		for _, e := range g.all("entries", g.behind("partition")) {
			e = maps.Clone(e)
			e["aside"] = g.binds["aside"]
			g.put("aside_entries", fmt.Sprint(g.text("aside"), "-", e["seq"]), e)
		}
		return nil, nil
	},
	"aside_put_states": func(g *ground) ([]any, *refusal) {
		for _, s := range g.all("states", where("home", g.text("home"))) {
			g.put("aside_states", g.text("aside")+"-"+str(s["_key"]), doc{"hash": s["hash"], "data": s["data"]})
		}
		return nil, nil
	},
	"asides": func(g *ground) ([]any, *refusal) {
		return rowsOf(sortedBy(g.all("asides", func(doc) bool { return true }), "at"), 0, field("data"))
	},
	"aside_entries": func(g *ground) ([]any, *refusal) {
		found := g.all("aside_entries", func(e doc) bool { return e["aside"] == g.binds["aside"] && num(e["seq"]) > g.num("after") })
		return rowsOf(sortedBy(found, "seq"), g.limit(), func(d doc) any { return d })
	},
	"state":    single("", fields("hash", "data")),
	"document": single("", field("data")),
	"exists":   single("", func(doc) any { return true }),
	"template": single("templates", fields("data", "archive")),
	"snapshot": single("snapshots", fields("environment", "seq", "data")),
	"snapshots": func(g *ground) ([]any, *refusal) {
		return rowsOf(sortedBy(g.all("snapshots", where("partition", g.binds["partition"])), "place"), 0, fields("environment", "seq", "data"))
	},
	"entries_of_partition": func(g *ground) ([]any, *refusal) {
		found := g.all("entries", func(e doc) bool { return e["partition"] == g.binds["partition"] && num(e["seq"]) > g.num("after") })
		return rowsOf(sortedBy(found, "seq"), g.limit(), func(d doc) any { return d })
	},
	"entries_of_environment": func(g *ground) ([]any, *refusal) {
		found := g.all("entries", func(e doc) bool {
			return e["home"] == g.text("home") && num(e["seq"]) > g.num("after") && num(e["partition"]) >= g.num("low") && num(e["partition"]) <= g.num("high")
		})
		return rowsOf(sortedBy(found, "seq", "partition"), g.limit(), func(d doc) any { return d })
	},
	"environments": environmentsBy(""), "environments_by_status": environmentsBy("status"), "environments_by_tag": environmentsBy("tag_keys"),
	"environments_by_template": environmentsBy("template_keys"), "environments_by_word": environmentsBy("beginnings"),
	"environments_name_down":    environmentsSorted("place", true),
	"environments_status_up":    environmentsSorted("status_place", false),
	"environments_status_down":  environmentsSorted("status_place", true),
	"environments_created_up":   environmentsSorted("created", false),
	"environments_created_down": environmentsSorted("created", true),
	"environments_updated_up":   environmentsSorted("updated", false),
	"environments_updated_down": environmentsSorted("updated", true),
	"migrate_order":             func(*ground) ([]any, *refusal) { return nil, nil },
	"resources": func(g *ground) ([]any, *refusal) {
		found := g.all("resources", func(r doc) bool { return r["home"] == g.text("home") && str(r["place"]) > g.text("after") })
		return rowsOf(sortedBy(found, "place"), g.limit(), field("data"))
	},
	"operations": func(g *ground) ([]any, *refusal) {
		found := sortedBy(g.all("operations", func(o doc) bool {
			return o["home"] == g.text("home") && (num(o["started"]) < g.num("started") || o["started"] == g.num("started") && str(o["place"]) < g.text("before"))
		}), "started", "place")
		slices.Reverse(found)
		return rowsOf(found, g.limit(), field("data"))
	},
	"walk_down": walk("_from", "_to"), "walk_up": walk("_to", "_from"), "path": shortestPath, "consumers": consumers,
	"usage_by_template": usageBy("template_keys"), "usage_by_version": usageBy("version_keys"), "usage_by_commit": usageBy("commits"),
	"operations_by_asker": func(g *ground) ([]any, *refusal) {
		return rowsOf(g.all("operations", where("asker", g.text("key"))), 0, func(o doc) any {
			return doc{"home": o["home"], "operation": o["id"], "template": ""}
		})
	},
	"operations_by_id": func(g *ground) ([]any, *refusal) {
		return rowsOf(g.all("operations", where("place", g.text("key"))), 0, func(o doc) any {
			return doc{"home": o["home"], "operation": o["id"], "template": ""}
		})
	},
	"made": made, "search": search,
	"lineage": func(g *ground) ([]any, *refusal) {
		r, ok := g.one("resources", g.text("key"))
		if !ok {
			return nil, nil
		}
		e, o := g.world["environments"][str(r["home"])], g.world["operations"][str(r["operation_key"])]
		return []any{doc{"resource": r["data"], "environment": e["data"], "operation": o["data"]}}, nil
	},
	"log_counter": func(g *ground) ([]any, *refusal) {
		return g.count("counters", "logs", "value", 1, g.num("count"), nil), nil
	},
	"log_count": func(g *ground) ([]any, *refusal) {
		return g.count("log_steps", g.text("key"), "lines", 0, g.num("lines"), doc{"home": g.text("home"), "written": g.num("now")}), nil
	},
	"log_held": func(g *ground) ([]any, *refusal) {
		return rowsOf(g.all("log_chunks", func(c doc) bool {
			return c["step_key"] == g.text("step") && c["attempt"] == g.num("attempt") && num(c["first"]) >= g.num("low") && num(c["first"]) < g.num("end")
		}), 0, fields("first", "lines"))
	},
	"log_steps": func(g *ground) ([]any, *refusal) {
		return rowsOf(g.all("log_steps", where("home", g.text("home"))), 0, func(d doc) any { return doc{"key": d["_key"], "lines": d["lines"]} })
	},
	"log_recount": func(g *ground) ([]any, *refusal) {
		sum := 0.0
		for _, c := range g.all("log_chunks", where("step_key", g.text("key"))) {
			sum += num(c["lines"])
		}
		g.update("log_steps", g.text("key"), doc{"lines": sum})
		return []any{sum}, nil
	},
	"log_chunks_of_step": chunksNewestFirst("step_key"), "log_chunks_of_environment": chunksNewestFirst("home"),
	"log_prune_step": pruneChunks("step_key"), "log_prune_environment": pruneChunks("home"),
	"logs_of_environment": readLogs("home", false), "logs_of_environment_newest": readLogs("home", true),
	"logs_of_step": readLogs("step_of", false), "logs_of_step_newest": readLogs("step_of", true),
}
