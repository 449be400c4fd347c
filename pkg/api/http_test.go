package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestOnlyReading(t *testing.T) {
	f := start(t, nil)
	for _, r := range routes() {
		path := braces.ReplaceAllString(r.path, "x")
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
			if method == "POST" && r.asks != "" {
				continue // a question that has a body; see TestTemplateImpact
			}
			response := f.open(context.Background(), method, path)
			require.NoError(t, response.Body.Close())
			require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode, "%s %s", method, path)
			require.Equal(t, "GET, HEAD", response.Header.Get("Allow"))
			require.Equal(t, mimeProblem, response.Header.Get("Content-Type"))
		}
	}
}

func TestUnknownAddresses(t *testing.T) {
	f := start(t, nil)
	for _, path := range []string{"/nope", "/api/v1", "/api/v1/nope", "/api/v2/environments", "/api/v1/environments/none",
		"/api/v1/environments/", "/api/v1/environments/a%2Fb", "/api/v1/environments/none/graph", "/api/v1/environments/notes/nope",
		"/api/v1/environments/notes/resources/none", "/api/v1/environments/none/logs", "/api/v1/environments/none/operations"} {
		p := f.problem(http.StatusNotFound, http.MethodGet, path)
		require.Equal(t, fault.NotFound, p.Code, path)
		require.Equal(t, path, p.Instance)
	}
	require.Equal(t, fault.UnknownTemplate, f.problem(http.StatusNotFound, http.MethodGet, "/api/v1/templates/none/1.0.0").Code)
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	f := start(t, nil)
	for _, addresses := range requests() {
		for _, address := range addresses {
			get, _ := f.do(http.MethodGet, address)
			head, body := f.do(http.MethodHead, address)
			require.Equal(t, get.StatusCode, head.StatusCode, address)
			require.Equal(t, get.Header.Get("Content-Type"), head.Header.Get("Content-Type"), address)
			require.Empty(t, body)
		}
	}
	stream, body := f.do(http.MethodHead, "/api/v1/environments/notes/journal", "Accept", mimeStream)
	require.Equal(t, mimeStream, stream.Header.Get("Content-Type"))
	require.Empty(t, body)
}

func TestBadParametersAreNamed(t *testing.T) {
	f := start(t, nil)
	for query, want := range map[string]string{
		"environments?limit=0":                          `"limit"|1 to 1000`,
		"environments?limit=1001":                       `"limit"|1 to 1000`,
		"environments?limit=-1":                         `"limit"|1 to 1000`,
		"environments?limit=ten":                        `"limit"|"ten"`,
		"environments?limit=1&limit=2":                  `"limit"|once`,
		"environments?limit=99999999999999999999":       `"limit"|1 to 1000`,
		"environments?cursor=garbage":                   `"cursor"|next`,
		"environments?status=deployed,gone":             `"status"|pending, deploying`,
		"environments?status=DEPLOYED":                  `"status"|destroy-failed`,
		"environments?statuz=failed":                    `"statuz"|status, tag, text`,
		"environments?text=%ff":                         `"text"|text`,
		"environments?%zz":                              `query`,
		"environments?tag=" + strings.Repeat("x", 2000): `"tag"|1024`,
		"environments/notes/graph?format=png":           `"format"|json, dot, mermaid, svg`,
		"environments/notes/resources?cursor=garbage":   `"cursor"`,
		"environments/notes/operations?cursor=garbage":  `"cursor"`,
		"environments/notes/journal?after=-1":           `"after"|from 0`,
		"environments/notes/logs?until=forever":         `"until"|settled`,
		"environments/notes/logs?until=settled":         `"until"|follow`,
		"environments/notes/logs?follow=maybe":          `"follow"|true, false`,
		"self/liveliness?type=verbose":                  `"type"|summary, detailed`,
		"self/ping?x=1":                                 `"x"|no parameters`,
		"templates?cursor=***":                          `"cursor"`,
	} {
		p := f.problem(http.StatusBadRequest, http.MethodGet, wire.Prefix+"/"+query)
		require.Equal(t, fault.Invalid, p.Code, query)
		for _, part := range strings.Split(want, "|") {
			require.Contains(t, p.Detail, part, query)
		}
		require.Less(t, len(p.Detail), 400)
	}
	p := f.problem(http.StatusBadRequest, http.MethodGet, "/api/v1/environments/notes/journal", "Last-Event-ID", "x", "Accept", mimeStream)
	require.Contains(t, p.Detail, "Last-Event-ID")
}

func TestEveryPageOnce(t *testing.T) {
	f := start(t, nil)
	var names []string
	path := "/environments?limit=3"
	for pages := 0; path != ""; pages++ {
		require.Less(t, pages, 10)
		response, _ := f.get(path)
		list := read[wire.List[environment.Record]](f, path)
		for _, r := range list.Items {
			names = append(names, r.Name)
		}
		link := response.Header.Get("Link")
		require.Equal(t, list.Next == "", link == "")
		path = strings.TrimPrefix(strings.TrimSuffix(link, `>; rel="next"`), "<"+wire.Prefix)
	}
	require.ElementsMatch(t, []string{"notes", "old-0", "old-1", "old-2", "old-3", "old-4", "old-5", "old-6"}, names)
	var steps []string
	for after := "0"; after != ""; {
		list := read[wire.List[struct{ Type string }]](f, "/environments/notes/journal?limit=2&after="+after)
		after = list.Next
		for _, entry := range list.Items {
			steps = append(steps, entry.Type)
		}
	}
	require.Equal(t, []string{"environment.created", "environment.deploying", "step.waiting"}, steps)
}

func TestFilters(t *testing.T) {
	f := start(t, nil)
	for query, want := range map[string]int{
		"status=deploying": 1, "status=deploying,failed": 2, "status=deploying&status=failed": 2, "status=": 8, "tag=demo": 1,
		"tag=demo&tag=team:notes": 1, "tag=demo&tag=other": 0, "text=notes": 1, "template=notes": 1, "template=notes@1.2.0": 1,
		"template=notes@9": 0, "text=" + `%22%20OR%201=1%20--`: 0,
	} {
		require.Len(t, read[wire.List[environment.Record]](f, "/environments?"+query).Items, want, query)
	}
}

func TestNotModified(t *testing.T) {
	f := start(t, nil)
	response, _ := f.get("/environments/notes")
	tag := response.Header.Get("ETag")
	require.Equal(t, `"1-3"`, tag)
	for header, want := range map[string]int{
		tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"1-4"`: 200, "nonsense": 200,
	} {
		response, body := f.get("/environments/notes", "If-None-Match", header)
		require.Equal(t, want, response.StatusCode, header)
		require.Equal(t, want == http.StatusNotModified, len(body) == 0)
		require.Equal(t, tag, response.Header.Get("ETag"))
	}
	changed := f.notes()
	changed.Revision = f.seq + 1
	f.append("notes", environment.Changes{Environments: []environment.Record{changed}}, environment.StatusDeployed{Operation: operation})
	response, _ = f.get("/environments/notes", "If-None-Match", tag)
	require.Equal(t, http.StatusOK, response.StatusCode)
}

func TestEveryAnswerHasATag(t *testing.T) {
	f := start(t, nil)
	for _, path := range []string{"/environments", "/environments/notes/resources", "/environments/notes/graph", "/templates", "/search?text=notes"} {
		response, body := f.get(path)
		tag := response.Header.Get("ETag")
		require.Regexp(t, `^W/"[0-9a-f]{24}"$`, tag, path)
		require.NotEmpty(t, body)
		for header, want := range map[string]int{tag: 304, strings.TrimPrefix(tag, "W/"): 304, "*": 304, `"other"`: 200} {
			response, body = f.get(path, "If-None-Match", header)
			require.Equal(t, want, response.StatusCode, "%s %s", path, header)
			require.Equal(t, want == http.StatusNotModified, len(body) == 0)
		}
	}
	old := f.notes()
	response, _ := f.get("/environments")
	old.Status, old.Revision = environment.Failed, f.seq+1
	f.append("notes", environment.Changes{Environments: []environment.Record{old}}, environment.StatusDeploying{Operation: operation})
	changed, _ := f.get("/environments", "If-None-Match", response.Header.Get("ETag"))
	require.Equal(t, http.StatusOK, changed.StatusCode)
}

// TestCompression: large answers are compressed for who takes it, and are the same; streams are not held up by it.
func TestCompression(t *testing.T) {
	f := start(t, nil)
	_, plain := f.get("/environments/notes/resources", "Accept-Encoding", "identity")
	response, packed := f.get("/environments/notes/resources", "Accept-Encoding", "gzip")
	require.Equal(t, "gzip", response.Header.Get("Content-Encoding"))
	require.Less(t, len(packed), len(plain))
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	text, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.Equal(t, string(plain), string(text))
	for _, path := range []string{"/self/ping", "/environments/none"} {
		response, _ = f.get(path, "Accept-Encoding", "gzip")
		require.Empty(t, response.Header.Get("Content-Encoding"), path)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream := f.open(ctx, http.MethodGet, "/api/v1/environments/notes/journal", "Accept", mimeStream, "Accept-Encoding", "gzip")
	require.Empty(t, stream.Header.Get("Content-Encoding"))
	cancel()
	_ = stream.Body.Close()
}

func TestRateLimit(t *testing.T) {
	f := start(t, func(o *Options) { o.RateLimit = 3 })
	refused := 0
	for i := range 30 {
		response, _ := f.get("/environments", "X-Forwarded-For", fmt.Sprint("10.0.0.", i))
		if response.StatusCode == http.StatusTooManyRequests {
			refused++
			require.Equal(t, "1", response.Header.Get("Retry-After"))
			require.Equal(t, mimeProblem, response.Header.Get("Content-Type"))
		}
		response, _ = f.get("/self/ping")
		require.Equal(t, http.StatusOK, response.StatusCode, "who asks how the server is, is not limited")
	}
	require.Positive(t, refused, "an address of the client's own making is no other client")
}

func TestRequestIDs(t *testing.T) {
	f := start(t, nil)
	response, _ := f.get("/self/ping", "X-Request-Id", "abc-1")
	require.Equal(t, "abc-1", response.Header.Get("X-Request-Id"))
	for _, bad := range []string{"", "with space", strings.Repeat("x", 200)} {
		response, _ = f.get("/self/ping", "X-Request-Id", bad)
		require.Len(t, response.Header.Get("X-Request-Id"), 36)
	}
	response, _ = f.get("/self/ping", "X-Correlation-Id", "order-7")
	require.Equal(t, "order-7", response.Header.Get("X-Correlation-Id"))
	require.Equal(t, "order-7", response.Header.Get("X-Request-Id"))
	response, _ = f.get("/self/ping", "X-Correlation-Id", "order-7", "X-Request-Id", "abc-3")
	require.Equal(t, "abc-3", response.Header.Get("X-Request-Id"))
	response, _ = f.get("/self/ping", "X-Correlation-Id", "no good")
	require.Empty(t, response.Header.Get("X-Correlation-Id"))
	require.Equal(t, "abc-2", f.problem(http.StatusNotFound, http.MethodGet, "/x", "X-Request-Id", "abc-2").RequestID)
}

func TestPanicsAndBrokenTemplates(t *testing.T) {
	f := start(t, nil)
	p := f.problem(http.StatusInternalServerError, http.MethodGet, "/api/v1/templates/panic/1")
	require.Equal(t, fault.Internal, p.Code)
	require.NotContains(t, fmt.Sprint(p), password)
	p = f.problem(http.StatusUnprocessableEntity, http.MethodGet, "/api/v1/templates/broken/0.1.0")
	require.Equal(t, 3, p.Diagnostics[0].Line)
}

func TestTooLargeHeaders(t *testing.T) {
	f := start(t, nil)
	response, _ := f.get("/self/ping", "X-Big", strings.Repeat("x", 64<<10))
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, response.StatusCode)
}

func TestTemplates(t *testing.T) {
	f := start(t, nil)
	first := read[wire.List[wire.TemplateSummary]](f, "/templates?limit=2")
	require.Equal(t, "broken", first.Items[0].Name)
	require.Equal(t, []string{"1.2.0", "1.1.0"}, first.Items[1].Versions)
	require.Equal(t, "1.2.0", first.Items[1].Newest)
	rest := read[wire.List[wire.TemplateSummary]](f, "/templates?limit=2&cursor="+first.Next)
	require.Len(t, rest.Items, 1)
	require.Empty(t, rest.Next)
	versions := read[wire.TemplateVersions](f, "/templates/notes")
	require.Len(t, versions.Versions, 2)
	one := read[wire.Template](f, "/templates/notes/1.2.0")
	require.Equal(t, "replicas", one.Parameters[0].Name)
}
