//go:build kubernetes

package helm

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/release"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// stage is one step on the cluster.
type stage struct {
	*Executor
	t       *testing.T
	request executor.Request
	log     *executortest.Log
}

// newStage has an environment of its own.
func newStage(t *testing.T) *stage {
	log := &executortest.Log{}
	s := &stage{Executor: onCluster(t, t.TempDir()), t: t, log: log, request: executor.Request{
		TaskRef: event.TaskRef{Environment: "h-" + strconv.FormatInt(time.Now().UnixNano(), 36), Step: "notes.helm_release.web", Attempt: 1, Epoch: 1},
		Secrets: []string{hidden}, Bundle: "testdata", WorkDir: t.TempDir(), Log: log.Add,
	}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, s.Destroy(ctx, s.request))
	})
	return s
}

func (s *stage) apply(inputs string) error {
	s.t.Helper()
	s.request.Inputs = json.RawMessage(inputs)
	out, err := s.Apply(s.t.Context(), s.request)
	if err == nil {
		values := map[string]json.RawMessage{}
		for name, v := range out {
			values[name] = v.Value
		}
		s.request.Outputs, err = json.Marshal(values)
		require.NoError(s.t, err)
	}
	return err
}

func (s *stage) session() *session {
	found, err := s.begin(s.t.Context(), s.request, true)
	require.NoError(s.t, err)
	return found
}

// last is the release's last revision.
func (s *stage) last() *release.Release {
	s.t.Helper()
	found, err := s.session().anybodys()
	require.NoError(s.t, err)
	return last(found)
}

func (s *stage) count(r schema.GroupVersionResource) (names []string) {
	s.t.Helper()
	at := s.session()
	list, err := at.objects.Resource(r).Namespace(at.namespace).List(s.t.Context(), metav1.ListOptions{})
	require.NoError(s.t, err)
	for _, o := range list.Items {
		if o.GetName() != "kube-root-ca.crt" {
			names = append(names, o.GetName())
		}
	}
	return names
}

const plainly = `{"chart":"./web","wait_timeout":"2m","values":{"version":"1"}}`

// TestForeign: a release, or an object, of somebody else is neither changed nor removed.
func TestForeign(t *testing.T) {
	s := newStage(t)
	require.NoError(t, s.apply(plainly))
	other := *s
	other.request.Step = "notes.helm_release.other"
	other.request.Inputs = json.RawMessage(strings.Replace(plainly, `"chart"`, `"name":"web","chart"`, 1))
	for _, try := range []func() error{
		func() error { _, err := other.Apply(t.Context(), other.request); return err },
		func() error { _, err := other.Plan(t.Context(), other.request, event.Apply); return err },
	} {
		err := try()
		require.True(t, fault.Is(err, fault.Exists), "%v", err)
		require.ErrorContains(t, err, "belongs to notes.helm_release.web of the environment "+s.request.Environment)
	}
	found, err := other.Observe(t.Context(), other.request)
	require.NoError(t, err)
	require.Equal(t, event.Absent, found.Presence)
	require.NoError(t, other.Destroy(t.Context(), other.request))
	require.Equal(t, release.StatusDeployed, s.last().Info.Status)

	// An object that is there already and nobody's.
	require.NoError(t, s.Destroy(t.Context(), s.request))
	require.NoError(t, s.options.Cluster.Enter(t.Context(), s.request))
	at := s.session()
	list, err := at.built("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")
	require.NoError(t, err)
	_, err = at.kube.Client.Create(list)
	require.NoError(t, err)
	err = s.apply(plainly)
	require.True(t, fault.Is(err, fault.Exists), "%v", err)
	require.ErrorContains(t, err, "ConfigMap web")
	require.Equal(t, []string{"web"}, s.count(configMapsResource))
	require.Nil(t, s.last(), "nothing was begun")
	require.NoError(t, at.objects.Resource(configMapsResource).Namespace(at.namespace).Delete(t.Context(), "web", metav1.DeleteOptions{}))
}

// TestInterrupted: an upgrade in the middle of which the runner was lost goes on, and an install is made anew.
func TestInterrupted(t *testing.T) {
	for _, status := range []release.Status{release.StatusPendingInstall, release.StatusPendingUpgrade, release.StatusPendingRollback, release.StatusUninstalling, release.StatusFailed} {
		t.Run(string(status), func(t *testing.T) {
			s := newStage(t)
			require.NoError(t, s.apply(plainly))
			at := s.session()
			rel := s.last()
			if status == release.StatusPendingUpgrade || status == release.StatusPendingRollback {
				rel.Info.Status = release.StatusSuperseded
				require.NoError(t, at.helm.Releases.Update(rel))
				rel.Version++
				rel.Info.Status = status
				require.NoError(t, at.helm.Releases.Create(rel))
			} else {
				rel.Info.Status = status
				require.NoError(t, at.helm.Releases.Update(rel))
			}
			found, err := s.Observe(t.Context(), s.request)
			require.NoError(t, err)
			require.True(t, found.Drifted)
			plan, err := s.Plan(t.Context(), s.request, event.Apply)
			require.NoError(t, err)
			require.Equal(t, event.ChangeUpdate, plan.Change)
			require.NoError(t, s.apply(strings.Replace(plainly, `"1"`, `"2"`, 1)))
			require.Equal(t, release.StatusDeployed, s.last().Info.Status)
			found, err = s.Observe(t.Context(), s.request)
			require.NoError(t, err)
			require.False(t, found.Drifted, "%+v", found.Differences)
		})
	}
}

// TestAtomic: an upgrade that does not get ready is rolled back, an install is taken back with its hooks.
func TestAtomic(t *testing.T) {
	s := newStage(t)
	broken := fmt.Sprintf(`{"chart":"./web","atomic":true,"wait_timeout":"4s","values":{"image":"k8s.local/nothing:1","password":%q}}`, hidden)
	err := s.apply(broken)
	require.True(t, fault.Is(err, NotReady), "%v", err)
	require.ErrorContains(t, err, "Deployment web")
	require.NotContains(t, err.Error(), hidden)
	require.Nil(t, s.last())
	require.Empty(t, s.count(deploymentsResource))

	err = s.apply(`{"chart":"./web","atomic":true,"wait_timeout":"60s","values":{"hook":"3"}}`)
	require.True(t, fault.Is(err, NotReady), "%v", err)
	require.ErrorContains(t, err, "the hook Pod web-hook failed")
	require.Empty(t, s.count(podsResource), "hooks that ran are taken back, too")

	require.NoError(t, s.apply(plainly))
	good := s.request.Inputs
	err = s.apply(broken)
	require.True(t, fault.Is(err, NotReady), "%v", err)
	require.Equal(t, release.StatusDeployed, s.last().Info.Status)
	require.Equal(t, "1", s.last().Config["version"], "it runs as before")
	s.request.Inputs = good
	plan, err := s.Plan(t.Context(), s.request, event.Apply)
	require.NoError(t, err)
	require.Equal(t, event.ChangeNone, plan.Change, "%+v", plan.Differences)
	require.False(t, s.log.Has(hidden))
}

// TestHooksGo: Helm leaves what hooks have made, and what an upgrade that failed has; a destroy does not.
func TestHooksGo(t *testing.T) {
	s := newStage(t)
	require.NoError(t, s.apply(`{"chart":"./web","wait_timeout":"2m","values":{"hook":"0"}}`))
	require.Contains(t, s.count(podsResource), "web-hook")
	err := s.apply(`{"chart":"./web","wait_timeout":"3s","values":{"image":"k8s.local/nothing:1","extra":true}}`)
	require.True(t, fault.Is(err, NotReady), "%v", err)
	require.Contains(t, s.count(configMapsResource), "web-extra")
	require.Equal(t, release.StatusFailed, s.last().Info.Status)
	require.NoError(t, s.Destroy(t.Context(), s.request))
	require.Empty(t, s.count(podsResource))
	require.Empty(t, s.count(configMapsResource))
}

// TestSomebodyElse: an upgrade by hand is drift, told with what was changed, and mended: the label that marks the release stays.
func TestSomebodyElse(t *testing.T) {
	s := newStage(t)
	require.NoError(t, s.apply(plainly))
	c, err := loader.Load("testdata/web")
	require.NoError(t, err)
	u := action.NewUpgrade(s.session().helm)
	u.Namespace = s.session().namespace
	_, err = u.Run("web", c, map[string]any{"version": "9", "replicas": 2})
	require.NoError(t, err)
	found, err := s.Observe(t.Context(), s.request)
	require.NoError(t, err)
	require.True(t, found.Drifted)
	require.Contains(t, found.Differences, event.Difference{Path: "revision", Change: event.ChangeUpdate, Before: "1", After: "2"})
	require.Contains(t, found.Differences, event.Difference{Path: "values.version", Change: event.ChangeUpdate, Before: "1", After: "9"})
	plan, err := s.Plan(t.Context(), s.request, event.Apply)
	require.NoError(t, err)
	require.Contains(t, plan.Differences, event.Difference{Path: "Deployment web: spec.replicas", Change: event.ChangeUpdate, Before: "2", After: "1"})
	require.NoError(t, s.apply(plainly))
	found, err = s.Observe(t.Context(), s.request)
	require.NoError(t, err)
	require.False(t, found.Drifted, "%+v", found.Differences)
}

// TestWrongCharts: what Helm or the API server finds wrong is said before anything is made, without secrets.
func TestWrongCharts(t *testing.T) {
	s := newStage(t)
	err := s.apply(fmt.Sprintf(`{"chart":"./web","values":{"replicas":%q}}`, hidden))
	require.Error(t, err)
	require.Equal(t, fault.GiveUp, fault.From(err).Disposition, "%v", err)
	require.NotContains(t, err.Error(), hidden)
	require.Nil(t, s.last())
	err = s.apply(`{"chart":"./web","namespace":"nowhere-at-all","values":{}}`)
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
}
