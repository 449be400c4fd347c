//go:build kubernetes

package kubernetes

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// TestReached: what runs is reached by its Service and by the node's port, has its variables and files, and a route.
func TestReached(t *testing.T) {
	s := newStage(t, Options{IngressClass: "traefik"})
	outputs := s.applied(fmt.Sprintf(`{"image":%q,"replicas":2,"env":{"VERSION":"one","LITERAL":"$(VERSION)","PASSWORD":%[2]q},
		"files":{"/etc/open":"open\n","/etc/closed":%[2]q},"port":[{"container":8080}],"labels":{"team":"notes"},
		"expose":[{"host":"notes.example.test","path":"/notes","port":8080,"tls":true}],%s}`, sample, hidden, plainly))
	s.answers(s.address(8080), "/", "one")
	s.answers(s.address(8080), query("/env", "name", "LITERAL"), "$(VERSION)")
	s.answers(s.address(8080), query("/env", "name", "PASSWORD"), hidden)
	s.answers(s.address(8080), query("/file", "path", "/etc/open"), "open\n")
	s.answers(s.address(8080), query("/file", "path", "/etc/closed"), hidden)
	require.Len(t, output[[]string](t, outputs, "names"), 2)
	for _, ip := range output[[]string](t, outputs, "addresses") {
		s.answers(net.JoinHostPort(ip, "8080"), "/", "one")
	}
	published := net.JoinHostPort(output[string](t, outputs, "host"), strconv.Itoa(output[map[string]int](t, outputs, "ports")["8080"]))
	s.answers(published, "/", "one")
	require.Equal(t, "https://notes.example.test/notes", output[string](t, outputs, "url"))

	rules, _, err := unstructured.NestedSlice(s.live(ingresses, s.place(s.request).name).Object, "spec", "rules")
	require.NoError(t, err)
	text, err := json.Marshal(rules)
	require.NoError(t, err)
	require.JSONEq(t, `[{"host":"notes.example.test","http":{"paths":[{"path":"/notes","pathType":"Prefix","backend":{"service":{"name":"api","port":{"number":8080}}}}]}}]`, string(text))
	s.secretNowhere()

	s.applied(fmt.Sprintf(`{"image":%q,"env":{"VERSION":"one"},%s}`, sample, plainly))
	require.Empty(t, s.all(ingresses), "what is exposed no more has no route")
	require.Empty(t, s.all(secrets), "what is not needed any more is gone")
	require.Len(t, s.all(services), 1)
	ip, _, _ := unstructured.NestedString(s.live(services, "api").Object, "spec", "clusterIP")
	require.Equal(t, "None", ip, "without ports the name stands for the replicas")
}

// secretNowhere looks for the secret in everything of the namespace but Secrets.
func (s *stage) secretNowhere() {
	s.t.Helper()
	seen := 0
	for _, k := range []kind{configMaps, claims, services, deployments, ingresses, replicaSets, pods, events, namespaces, secrets} {
		for _, o := range s.all(k) {
			text, err := json.Marshal(o.Object)
			require.NoError(s.t, err)
			has := strings.Contains(string(text), hidden) || strings.Contains(string(text), base64.StdEncoding.EncodeToString([]byte(hidden)))
			require.Equal(s.t, k == secrets, has, "%s %s", k.name, o.GetName())
			seen++
		}
	}
	require.Greater(s.t, seen, 5)
}

// TestRollout replaces one replica after the other, and never has fewer than there should be.
func TestRollout(t *testing.T) {
	s := newStage(t, Options{})
	block := `{"image":%q,"replicas":2,"env":{"VERSION":%q},"port":[{"container":8080}],%s}`
	first := s.applied(fmt.Sprintf(block, sample, "one", plainly))
	s.answers(s.address(8080), "/", "one")

	ctx, cancel := context.WithCancel(t.Context())
	fewest, watched := make(chan int64, 1), s.session()
	w, err := watched.of(deployments).Watch(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	go func() {
		least := int64(100)
		for e := range w.ResultChan() {
			if o, ok := e.Object.(*unstructured.Unstructured); ok && e.Type != "DELETED" {
				n, _, _ := unstructured.NestedInt64(o.Object, "status", "availableReplicas")
				least = min(least, n)
			}
		}
		fewest <- least
	}()
	var told []event.Progress
	s.request.Progress = func(p event.Progress) { told = append(told, p) }
	second := s.applied(fmt.Sprintf(block, "k8s.local/sample:2", "two", plainly))
	cancel()
	w.Stop()
	require.EqualValues(t, 2, <-fewest)
	require.NotEmpty(t, told)
	require.Contains(t, told[len(told)-1].Message, "of 2 replicas")
	s.answers(s.address(8080), "/", "two")
	for _, name := range output[[]string](t, second, "names") {
		require.NotContains(t, output[[]string](t, first, "names"), name)
	}
}

// TestUnhealthyReturns: a revision that does not get healthy is given up, and the one before serves on.
func TestUnhealthyReturns(t *testing.T) {
	s := newStage(t, Options{})
	good := fmt.Sprintf(`{"image":%q,"env":{"VERSION":"one","PASSWORD":%q},"port":[{"container":8080}],%s}`, sample, hidden, plainly)
	first := s.applied(good)
	template := s.template()
	impatient := strings.Replace(plainly, "150s", "4s", 1)
	for name, c := range map[string]struct{ inputs, says string }{
		"unhealthy": {fmt.Sprintf(`{"image":%q,"env":{"VERSION":"two","UNHEALTHY":%q},%s}`, sample, hidden, impatient), "statuscode: 503"},
		"crashing": {fmt.Sprintf(`{"image":%q,"env":{"EXIT":"3","SAY":"my password is %s"},%s}`, sample, hidden, impatient),
			"ended with status 3"},
		"no image": {`{"image":"k8s.local/nothing:1",` + impatient + `}`, "is not on the node"},
		"not to be pulled": {`{"image":"127.0.0.1:1/nothing:1","pull":"always","update":{"health_timeout":"4s"}}`,
			"can't be pulled"},
		"too large": {fmt.Sprintf(`{"image":%q,"limits":{"cpu":500},%s}`, sample, impatient), "no node takes the pod"},
	} {
		t.Run(name, func(t *testing.T) {
			s.log.Take()
			_, err := s.apply(c.inputs)
			require.True(t, fault.Is(err, container.Unhealthy), "%v", err)
			require.Equal(t, fault.GiveUp, fault.From(err).Disposition)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "the former revision runs again")
			require.NotContains(t, err.Error(), hidden)
			require.False(t, s.log.Has(hidden))
			require.Equal(t, template, s.template(), "the Deployment asks for the former revision")
			require.Eventually(t, func() bool { return len(s.all(pods)) == 1 }, time.Minute, 100*time.Millisecond, "what failed goes")
			s.answers(s.address(8080), "/", "one")
			s.answers(s.address(8080), query("/env", "name", "PASSWORD"), hidden)
		})
	}
	again := s.applied(good)
	require.Equal(t, output[[]string](t, first, "names"), output[[]string](t, again, "names"), "the replica never stopped serving")
}

// template is what the Deployment makes its pods of.
func (s *stage) template() any {
	s.t.Helper()
	template, ok, err := unstructured.NestedFieldNoCopy(s.live(deployments, s.place(s.request).name).Object, "spec", "template")
	require.NoError(s.t, err)
	require.True(s.t, ok)
	return template
}

// TestUnhealthyFirst: where there is nothing to return to, what failed stays to be looked at, and the next apply mends it.
func TestUnhealthyFirst(t *testing.T) {
	s := newStage(t, Options{})
	_, err := s.apply(fmt.Sprintf(`{"image":%q,"env":{"EXIT":"7"},%s}`, sample, strings.Replace(plainly, "150s", "4s", 1)))
	require.True(t, fault.Is(err, container.Unhealthy), "%v", err)
	require.ErrorContains(t, err, "ended with status 7")
	s.applied(fmt.Sprintf(`{"image":%q,%s}`, sample, plainly))
}

// TestDifferences: drift and plans are told in the words of the block.
func TestDifferences(t *testing.T) {
	s := newStage(t, Options{})
	s.applied(fmt.Sprintf(`{"image":%q,"env":{"VERSION":"one","PASSWORD":%q},"port":[{"container":8080}],%s}`, sample, hidden, plainly))
	at := s.place(s.request)
	scale, err := s.session().of(deployments).Get(t.Context(), at.name, metav1.GetOptions{}, "scale")
	require.NoError(t, err)
	require.NoError(t, unstructured.SetNestedField(scale.Object, int64(3), "spec", "replicas"))
	_, err = s.session().of(deployments).Update(t.Context(), scale, metav1.UpdateOptions{}, "scale")
	require.NoError(t, err)
	require.NoError(t, s.session().of(services).Delete(t.Context(), at.service, metav1.DeleteOptions{}))
	found, err := s.Observe(t.Context(), s.request)
	require.NoError(t, err)
	require.Equal(t, event.Observation{Presence: event.Present, Drifted: true, Differences: []event.Difference{
		{Path: "Deployment " + at.name + ": replicas", Change: event.ChangeUpdate, Before: "1", After: "3"},
		{Path: "Service api", Change: event.ChangeDestroy},
	}}, found)

	s.request.Inputs = json.RawMessage(fmt.Sprintf(`{"image":"k8s.local/sample:2","env":{"VERSION":"two","PASSWORD":"%s-changed"},"port":[{"container":8080}],%s}`, hidden, plainly))
	plan, err := s.Plan(t.Context(), s.request, event.Apply)
	require.NoError(t, err)
	require.Equal(t, event.ChangeUpdate, plan.Change)
	title := "Deployment " + at.name + ": "
	require.Contains(t, plan.Differences, event.Difference{Path: title + "image", Change: event.ChangeUpdate, Before: sample, After: "k8s.local/sample:2"})
	require.Contains(t, plan.Differences, event.Difference{Path: title + "env.VERSION", Change: event.ChangeUpdate, Before: "one", After: "two"})
	require.Contains(t, plan.Differences, event.Difference{Path: title + "replicas", Change: event.ChangeUpdate, Before: "3", After: "1"})
	require.Contains(t, plan.Differences, event.Difference{Path: title + "env.PASSWORD", Change: event.ChangeUpdate, Before: "(sensitive)", After: "(sensitive)", Sensitive: true})
	text, err := json.Marshal(plan)
	require.NoError(t, err)
	require.NotContains(t, string(text), hidden)
}

// TestForeign: what somebody else has made is neither changed nor removed.
func TestForeign(t *testing.T) {
	s := newStage(t, Options{})
	s.applied(fmt.Sprintf(`{"image":%q,%s}`, sample, plainly)) // so that there is the namespace
	other := *s
	other.request.Step = "notes.container.other"
	body := map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "other"},
		"spec": map[string]any{"ports": []any{map[string]any{"port": int64(1)}}}}
	made, err := s.session().of(services).Create(t.Context(), &unstructured.Unstructured{Object: body}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = other.apply(fmt.Sprintf(`{"image":%q,%s}`, sample, plainly))
	require.True(t, fault.Is(err, fault.Exists), "%v", err)
	require.ErrorContains(t, err, `Service "other"`)
	require.ErrorContains(t, err, "not made by Vivarium")
	_, err = other.Plan(t.Context(), other.request, event.Apply)
	require.True(t, fault.Is(err, fault.Exists), "%v", err)
	require.NoError(t, other.Destroy(t.Context(), other.request))
	require.Equal(t, made.GetResourceVersion(), s.live(services, "other").GetResourceVersion())

	require.NoError(t, s.Destroy(t.Context(), s.request))
	s.live(services, "other") // and so the namespace is still there
	require.NoError(t, s.session().of(services).Delete(t.Context(), "other", metav1.DeleteOptions{}))
}

// TestNothingLeft: after a destroy there is nothing, not even the namespace, and pods took their leave before.
func TestNothingLeft(t *testing.T) {
	s := newStage(t, Options{})
	s.applied(fmt.Sprintf(`{"image":%q,"replicas":2,"env":{"PASSWORD":%q},"files":{"/a":"b"},"port":[{"container":8080}],
		"expose":[{"host":"notes.example.test","port":8080}],%s}`, sample, hidden, plainly))
	for _, k := range append(append([]kind{}, ours...), derived...) {
		if k != claims {
			require.NotEmpty(t, s.all(k), k.name)
		}
	}
	require.NoError(t, s.Destroy(t.Context(), s.request))
	for _, k := range append(append([]kind{}, ours...), derived...) {
		require.Empty(t, s.all(k), k.name)
	}
	list, err := s.session().of(namespaces).List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + s.place(s.request).namespace})
	require.NoError(t, err)
	require.Empty(t, list.Items)
}

// TestAway: a server that does not answer is waited for.
func TestAway(t *testing.T) {
	s := newStage(t, Options{Timeout: 5 * time.Second})
	s.applied(fmt.Sprintf(`{"image":%q,%s}`, sample, plainly))
	require.Contains(t, s.Target(s.request), s.k.Address())
	s.k.Cut()
	_, err := s.apply(fmt.Sprintf(`{"image":%q,%s}`, sample, plainly))
	_, seen := s.Observe(t.Context(), s.request)
	destroyed := s.Destroy(t.Context(), s.request)
	require.NoError(t, s.k.Mend())
	for _, err := range []error{err, seen, destroyed} {
		require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
		require.Equal(t, fault.Wait, fault.From(err).Disposition)
		require.ErrorContains(t, err, "the connection was refused")
	}
	s.applied(fmt.Sprintf(`{"image":%q,%s}`, sample, plainly))
}

// TestForbidden names what the runner's account lacks.
func TestForbidden(t *testing.T) {
	s := newStage(t, Options{})
	s.applied(fmt.Sprintf(`{"image":%q,%s}`, sample, plainly))
	e := New(Options{Kubeconfig: []string{impersonating(t, s.k, "somebody")}, Box: fixed, Namespace: s.place(s.request).namespace})
	defer e.Close()
	_, err := e.Apply(t.Context(), s.request)
	require.True(t, fault.Is(err, fault.PermissionDenied), "%v", err)
	require.ErrorContains(t, err, "the verb get on deployments of apps")
	_, err = e.Observe(t.Context(), s.request)
	require.True(t, fault.Is(err, fault.PermissionDenied), "absence is not proven by not being allowed to look: %v", err)
	require.True(t, fault.Is(e.Destroy(t.Context(), s.request), fault.PermissionDenied))

	away := New(Options{Kubeconfig: []string{s.k.Kubeconfig()}, Box: fixed, Namespace: "not-there"})
	defer away.Close()
	_, err = away.Apply(t.Context(), s.request)
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	require.ErrorContains(t, err, "has no namespace not-there")
}

// TestLive: what the replicas use and print is told while they run.
func TestLive(t *testing.T) {
	s := newStage(t, Options{})
	usage, err := s.Usage(t.Context(), s.request)
	require.NoError(t, err)
	require.Empty(t, usage.Replicas, "nothing is there yet")
	outputs := s.applied(fmt.Sprintf(`{"image":%q,"env":{"SAY":"here I am"},"limits":{"memory":"64Mi"},"port":[{"container":8080}],%s}`, sample, plainly))
	require.Eventually(t, func() bool { // the node measures every ten seconds
		usage, err = s.Usage(t.Context(), s.request)
		return err == nil && len(usage.Replicas) == 1 && usage.Replicas[0].Memory > 0
	}, time.Minute, 200*time.Millisecond, "%v", err)
	replica := usage.Replicas[0]
	require.Equal(t, output[[]string](t, outputs, "names")[0], replica.Name)
	require.Equal(t, "running", replica.State)
	require.EqualValues(t, 64<<20, replica.MemoryLimit)

	ctx, cancel := context.WithCancel(t.Context())
	lines, over := make(chan string, 100), make(chan error, 1)
	go func() {
		over <- s.Follow(ctx, s.request, time.Time{}, func(_ time.Time, stream, line string) { lines <- stream + ": " + line })
	}()
	require.Equal(t, "out: here I am", <-lines)
	require.Equal(t, "out: serving on port 8080", <-lines)
	_, err = s.get(s.address(8080), query("/say", "text", "something new"))
	require.NoError(t, err)
	require.Equal(t, "out: something new", <-lines)
	cancel()
	require.NoError(t, <-over)
}

// TestVolumes: a claim keeps its data when replicas are replaced, and outlives the resource where the block says so.
func TestVolumes(t *testing.T) {
	s := newStage(t, Options{StorageClass: "by-hand", VolumeSize: "1Mi"})
	volumes := s.session().c.objects.Resource(claims.GroupVersion().WithResource("persistentvolumes"))
	name := s.place(s.request).name
	_, err := volumes.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolume", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"capacity": map[string]any{"storage": "1Mi"}, "accessModes": []any{"ReadWriteOnce"}, "storageClassName": "by-hand",
			"hostPath": map[string]any{"path": t.TempDir()}},
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	defer func() { require.NoError(t, volumes.Delete(context.Background(), name, metav1.DeleteOptions{})) }()
	block := `{"image":%q,"volume":[{"name":"data","path":"/data","keep":%v}],%s}`
	s.applied(fmt.Sprintf(block, sample, true, plainly))
	require.Len(t, s.all(claims), 1)
	require.NoError(t, s.Destroy(t.Context(), s.request))
	require.Len(t, s.all(claims), 1, "it is kept")
	found, err := s.Observe(t.Context(), s.request)
	require.NoError(t, err)
	require.Equal(t, event.Absent, found.Presence, "and does not count")
	s.applied(fmt.Sprintf(block, sample, false, plainly))
	require.NoError(t, s.Destroy(t.Context(), s.request))
	require.Empty(t, s.all(claims))
}

// TestSharedNamespace: environments can share a namespace, which nobody removes.
func TestSharedNamespace(t *testing.T) {
	s := newStage(t, Options{Namespace: "default"})
	s.applied(fmt.Sprintf(`{"image":%q,"port":[{"container":8080}],%s}`, sample, plainly))
	s.answers(s.address(8080), "/", "")
	require.NoError(t, s.Destroy(t.Context(), s.request))
	found, err := s.Observe(t.Context(), s.request)
	require.NoError(t, err)
	require.Equal(t, event.Absent, found.Presence)
	require.NotEmpty(t, s.all(services), "the API server's own")
}

// TestANamespaceThatIsToCome: where somebody makes it before anything is applied, a plan says what would be in it; where nobody does, it fails as an apply would.
func TestANamespaceThatIsToCome(t *testing.T) {
	inputs := json.RawMessage(fmt.Sprintf(`{"image":%q,"port":[{"container":8080}],%s}`, sample, plainly))
	s := newStage(t, Options{Namespace: "to-come", Pending: true})
	s.request.Inputs = inputs
	plan, err := s.Plan(t.Context(), s.request, event.Apply)
	require.NoError(t, err)
	require.Equal(t, event.ChangeCreate, plan.Change)
	require.Contains(t, fmt.Sprint(plan.Differences), "Deployment")
	s = newStage(t, Options{Namespace: "to-come"})
	s.request.Inputs = inputs
	_, err = s.Plan(t.Context(), s.request, event.Apply)
	require.Error(t, err)
}

// TestRestart puts other pods in the place of those that are there, and needs to know of the step no more than whose it is.
func TestRestart(t *testing.T) {
	s := newStage(t, Options{})
	before := output[[]string](t, s.applied(fmt.Sprintf(`{"image":%q,"env":{"VERSION":"one"},"port":[{"container":8080}],%s}`, sample, plainly)), "names")
	known := s.request
	known.Inputs = nil
	require.NoError(t, s.Restart(t.Context(), known))
	require.Eventually(t, func() bool {
		running, err := s.session().pods(t.Context())
		return err == nil && len(running) == 1 && running[0].Name != before[0] && stateOf(running[0]) == "running"
	}, time.Minute, 100*time.Millisecond)
	s.answers(s.address(8080), "/", "one")
}
