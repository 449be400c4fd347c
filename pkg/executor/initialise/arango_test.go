package initialise_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// arangoStandIn answers those parts of ArangoDB's documented HTTP interface that are about databases and users. There is no real
// server in these tests: that one does the same is not shown by them.
type arangoStandIn struct {
	*testing.T
	*httptest.Server
	mu        sync.Mutex
	users     map[string]map[string]any
	databases map[string]bool
	grants    map[string]string // USER/DATABASE
}

func newArangoStandIn(t *testing.T) *arangoStandIn {
	s := &arangoStandIn{T: t, users: map[string]map[string]any{"root": {"user": "root", "passwd": "secret", "active": true}},
		databases: map[string]bool{"_system": true}, grants: map[string]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

// TestAnArangoWithACertificate is taken for what it is by who knows its authority alone.
func TestAnArangoWithACertificate(t *testing.T) {
	s := newArangoStandIn(t)
	listener := httptest.NewTLSServer(http.HandlerFunc(s.serve))
	defer listener.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: listener.Certificate().Raw}))
	s.URL = listener.URL
	e, inputs := kind(t, initialise.Options{}, initialise.ArangoName), arangoInputs(s, "mine", "me", "p")
	_, err := e.Apply(t.Context(), request(inputs))
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	_, err = e.Apply(t.Context(), request(strings.Replace(inputs, "{", fmt.Sprintf(`{"ca":%q,`, ca), 1)))
	require.NoError(t, err)
	require.True(t, s.databases["mine"])
}

func (s *arangoStandIn) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body)
	asking, password, _ := r.BasicAuth()
	answer := func(code int, more map[string]any) {
		all := map[string]any{"error": code >= 400, "code": code}
		for name, value := range more {
			all[name] = value
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(all)
	}
	refuse := func(code, number int) {
		answer(code, map[string]any{"errorNum": number, "errorMessage": "refused"})
	}
	if u := s.users[asking]; u == nil || u["passwd"] != password {
		refuse(http.StatusUnauthorized, 11)
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if parts[0] == "_db" {
		parts = append([]string{parts[2], parts[3], "in " + parts[1]}, parts[4:]...)
	}
	path := r.Method + " " + strings.Join(parts[:2], "/")
	switch {
	case path == "GET _api/database" && parts[len(parts)-1] == "current":
		name := strings.TrimPrefix(parts[2], "in ")
		if !s.databases[name] {
			refuse(http.StatusNotFound, 1228)
			return
		}
		if asking != "root" && s.grants[asking+"/"+name] == "" {
			refuse(http.StatusUnauthorized, 11)
			return
		}
		answer(http.StatusOK, map[string]any{"result": map[string]any{"name": name, "id": "1"}})
	case path == "GET _api/database" && parts[2] == "in _system":
		list := []string{}
		for name := range s.databases {
			list = append(list, name)
		}
		answer(http.StatusOK, map[string]any{"result": list})
	case path == "POST _api/database":
		name, _ := body["name"].(string)
		require.Equal(s, "single", body["options"].(map[string]any)["sharding"])
		if s.databases[name] {
			refuse(http.StatusConflict, 1207)
			return
		}
		s.databases[name] = true
		answer(http.StatusCreated, map[string]any{"result": true})
	case path == "DELETE _api/database":
		delete(s.databases, parts[len(parts)-1])
		answer(http.StatusOK, map[string]any{"result": true})
	case strings.HasSuffix(path, "_api/user"):
		s.user(r.Method, parts[2:], body, answer, refuse)
	default:
		s.Errorf("%s %s is not known to the stand-in", r.Method, r.URL.Path)
		refuse(http.StatusNotFound, 404)
	}
}

func (s *arangoStandIn) user(method string, at []string, body map[string]any, answer func(int, map[string]any), refuse func(int, int)) {
	name, _ := body["user"].(string)
	if len(at) > 0 {
		name = at[0]
	}
	there := s.users[name] != nil
	switch {
	case len(at) == 3 && method == http.MethodPut:
		s.grants[name+"/"+at[2]], _ = body["grant"].(string)
		answer(http.StatusOK, nil)
	case len(at) == 3 && method == http.MethodGet:
		grant := s.grants[name+"/"+at[2]]
		if grant == "" {
			grant = "none"
		}
		answer(http.StatusOK, map[string]any{"result": grant})
	case method == http.MethodPost && there:
		refuse(http.StatusConflict, 1702)
	case method != http.MethodPost && !there:
		refuse(http.StatusNotFound, 1703)
	case method == http.MethodGet:
		answer(http.StatusOK, map[string]any{"user": name, "active": s.users[name]["active"], "extra": s.users[name]["extra"]})
	case method == http.MethodDelete:
		delete(s.users, name)
		answer(http.StatusAccepted, nil)
	default:
		s.users[name] = body
		answer(map[bool]int{true: http.StatusOK, false: http.StatusCreated}[there], map[string]any{"user": name, "active": true, "extra": body["extra"]})
	}
}

func arangoInputs(s *arangoStandIn, database, user, password string) string {
	return fmt.Sprintf(`{"address":%q,"administrator":"root","password":"secret","database":%q,"user":%q,"user_password":%q}`, s.URL, database, user, password)
}

func TestArangoContract(t *testing.T) {
	s := newArangoStandIn(t)
	suite(t, initialise.ArangoName, initialise.Options{}, func(other, secret string) string {
		return arangoInputs(s, "d-STEP", "u-STEP", "pass"+other+secret)
	}, func(t *testing.T, of map[string]any) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.grants[of["user"].(string)+"/"+of["database"].(string)] = "ro"
	})
}

// TestAForeignArango: neither a database nor a user of somebody else is taken; what was cut off between the two goes on.
func TestAForeignArango(t *testing.T) {
	s, ctx := newArangoStandIn(t), t.Context()
	e := kind(t, initialise.Options{}, initialise.ArangoName)
	s.databases["theirs"] = true
	s.users["them"] = map[string]any{"user": "them", "passwd": "x", "active": true, "extra": map[string]any{"vivarium": "vivarium other/step", "database": "mine"}}
	for _, inputs := range []string{arangoInputs(s, "theirs", "me", "p"), arangoInputs(s, "mine", "them", "p")} {
		_, err := e.Apply(ctx, request(inputs))
		require.True(t, fault.Is(err, fault.Exists), "%v", err)
	}
	require.Len(t, s.databases, 2)
	require.Equal(t, "x", s.users["them"]["passwd"])

	mine := arangoInputs(s, "mine", "me", "p")
	_, err := e.Apply(ctx, request(mine))
	require.NoError(t, err)
	require.Equal(t, "rw", s.grants["me/mine"])
	delete(s.databases, "mine") // as if it had been cut off before
	_, err = e.Apply(ctx, request(mine))
	require.NoError(t, err)
	require.True(t, s.databases["mine"])
	require.NoError(t, e.Destroy(ctx, request(mine)))
	require.False(t, s.databases["mine"])
	require.Nil(t, s.users["me"])
	require.True(t, s.databases["theirs"])

	_, err = e.Apply(ctx, request(strings.Replace(mine, `"secret"`, `"not-the-password"`, 1)))
	require.True(t, fault.Is(err, fault.Exists), "%v", err)
	require.NotContains(t, err.Error(), "not-the-password")
	s.Close()
	_, err = e.Apply(ctx, request(mine))
	require.Equal(t, fault.Wait, fault.From(err).Disposition, "%v", err)
}
