package process

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/test/servers"
)

// patience bounds every wait of a test.
const patience = 60 * time.Second

// word makes the test binary a supervisor.
const word = "supervise-for-a-test"

// Folders of the tests, handed to a child of the contract's.
const (
	folderVariable   = "VIVARIUM_PROCESS_TEST_FOLDER"
	programsVariable = "VIVARIUM_PROCESS_TEST_PROGRAMS"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == word {
		if err := supervisor.Main(os.Args[2], os.Stdin); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	programs, err := os.MkdirTemp("", "vivarium-programs-")
	if err != nil {
		panic(err)
	}
	if os.Getenv(programsVariable) == "" {
		_ = os.Setenv(programsVariable, programs)
	}
	code := m.Run()
	_ = os.RemoveAll(programs)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines are left after the tests:", err)
			code = 1
		}
	}
	os.Exit(code)
}

var build sync.Once

// programs is a folder with the program "app".
func programs(t *testing.T) string {
	t.Helper()
	folder := os.Getenv(programsVariable)
	build.Do(func() {
		if _, err := os.Stat(filepath.Join(folder, "app")); err == nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", filepath.Join(folder, "app"), servers.SampleApp).CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	return folder
}

func options(t *testing.T, folder string) Options {
	t.Helper()
	return Options{Folder: folder, Programs: []string{programs(t)}, Path: os.Getenv("PATH"), Supervise: []string{os.Args[0], word}, Key: box}
}

func box() *secret.Box {
	b, err := secret.NewBox([]byte(strings.Repeat("s", secret.KeySize)))
	if err != nil {
		panic(err) // the key has its size
	}
	return b
}

// bed is an executor with one step in a folder of its own.
type bed struct {
	*Executor
	*testing.T
	request executor.Request
	log     *executortest.Log
}

// newBed has an environment of its own, which is destroyed in the end. Its test runs beside others.
func newBed(t *testing.T, inputs string) *bed {
	t.Helper()
	t.Parallel()
	log := &executortest.Log{}
	b := &bed{Executor: New(options(t, t.TempDir())), T: t, log: log, request: executor.Request{
		TaskRef: event.TaskRef{Environment: strings.ToLower(t.Name()), Operation: "op-1", Step: "t.container.api", Attempt: 1, Epoch: 1}, Log: log.Add,
	}}
	b.inputs(inputs)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log: %q", log.Take())
		}
		require.NoError(t, b.Destroy(context.Background(), b.request))
	})
	return b
}

// inputs sets others.
func (b *bed) inputs(text string) { b.request.Inputs = json.RawMessage(text) }

// apply succeeds, and keeps the outputs as the server does.
func (b *bed) apply() outputs {
	b.Helper()
	got, err := b.Apply(b.Context(), b.request)
	require.NoError(b.T, err)
	values := map[string]json.RawMessage{}
	for name, v := range got {
		values[name] = v.Value
	}
	b.request.Outputs, err = json.Marshal(values)
	require.NoError(b.T, err)
	var o outputs
	require.NoError(b.T, json.Unmarshal(b.request.Outputs, &o))
	return o
}

type outputs struct {
	Names     []string       `json:"names"`
	ImageID   string         `json:"image_id"`
	Addresses []string       `json:"addresses"`
	Ports     map[string]int `json:"ports"`
	Host      string         `json:"host"`
}

// fails applies and wants that code.
func (b *bed) fails(code fault.Code, says ...string) *fault.Error {
	b.Helper()
	_, err := b.Apply(b.Context(), b.request)
	require.Equal(b.T, code, fault.From(err).Code, "%v", err)
	f := fault.From(err)
	for _, part := range says {
		require.Contains(b.T, f.Message, part)
	}
	return f
}

func (b *bed) observe() event.Observation {
	b.Helper()
	o, err := b.Observe(b.Context(), b.request)
	require.NoError(b.T, err)
	return o
}

func (b *bed) plan() event.Plan {
	b.Helper()
	p, err := b.Plan(b.Context(), b.request, event.Apply)
	require.NoError(b.T, err)
	return p.Plan
}

// supervised tells whether anything of the bed's folder has a supervisor.
func (b *bed) supervised() bool {
	b.Helper()
	there, err := Supervised(b.options.Folder)
	require.NoError(b.T, err)
	return there
}

// all are the step's replicas, in whatever state.
func (b *bed) all() []found {
	b.Helper()
	w, err := b.begin(b.Context(), b.request)
	require.NoError(b.T, err)
	all, err := w.list()
	require.NoError(b.T, err)
	return all
}

// from asks the program.
func (b *bed) from(port int, path string) string {
	b.Helper()
	text, err := ask(port, path)
	require.NoError(b.T, err)
	return text
}

func ask(port int, path string) (string, error) {
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

// eventually waits for a condition.
func eventually(t *testing.T, condition func() bool, message ...any) {
	t.Helper()
	require.Eventually(t, condition, patience, 10*time.Millisecond, message...)
}
