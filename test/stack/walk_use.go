package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// settle is how long Traefik may take to hear of a container that has come or gone.
const settle = 15 * time.Second

// use writes a note and reads it again, the way people would.
func (w *Walk) use(ctx context.Context) error {
	const text = "Bought by AMQP, kept on a volume, read through Traefik"
	base := "http://" + w.stack.Traefik.Address()
	write := request{Method: http.MethodPost, URL: base + "/api/notes", Host: host, Body: map[string]string{"text": text}}
	var written json.RawMessage
	if err := until(ctx, settle, func() error { return get(ctx, write, &written) }); err != nil {
		return err
	}
	w.line("$ curl -H 'Host: %s' -d '{\"text\": \"%s\"}' %s", host, text, write.URL)
	w.line("  %s", written)
	for _, read := range []struct{ path, want string }{{"/api/notes", text}, {"/", "<h1>Our notes</h1>"}} {
		var body []byte
		err := until(ctx, settle, func() (err error) {
			body, err = w.through(ctx, read.path, http.StatusOK)
			return err
		})
		if err != nil {
			return err
		}
		if !strings.Contains(string(body), read.want) {
			return fmt.Errorf("%s does not hold %q: %s", read.path, read.want, body)
		}
		w.line("$ curl -H 'Host: %s' %s", host, base+read.path)
		for line := range strings.Lines(string(bytes.TrimSpace(body))) {
			w.line("  %s", strings.TrimRight(line, "\n"))
		}
	}
	return nil
}

// through asks Traefik for the environment's host.
func (w *Walk) through(ctx context.Context, path string, want int) ([]byte, error) {
	status, body, err := ask(ctx, request{Method: http.MethodGet, URL: "http://" + w.stack.Traefik.Address() + path, Host: host})
	if err == nil && status != want {
		err = fmt.Errorf("%s of %s answers %d instead of %d: %s", path, host, status, want, bytes.TrimSpace(body))
	}
	return body, err
}

// search reads the password where it belongs, shows that it is the one that is used, and looks for it everywhere else.
func (w *Walk) search(ctx context.Context) error {
	var kept struct {
		Data struct{ Data struct{ Password string } }
	}
	path := "secret/data/environments/" + name + "/database"
	if err := w.stack.asRoot(ctx, http.MethodGet, path, nil, &kept); err != nil {
		return err
	}
	w.password = kept.Data.Data.Password
	w.line("Vault has it at %s: %d characters that nobody has seen", path, len(w.password))
	if err := w.accepted(ctx); err != nil {
		return err
	}
	return w.seek(ctx)
}

// accepted: the database takes this password and no other.
func (w *Walk) accepted(ctx context.Context) error {
	database, err := w.stack.containerAddress(ctx, template+".container.database")
	if err != nil {
		return err
	}
	for _, try := range []struct {
		password string
		want     int
	}{{w.password, http.StatusOK}, {"a guess", http.StatusUnauthorized}} {
		out, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+database+":8080/notes", nil)
		if err != nil {
			return err
		}
		out.Header.Set("Authorization", "Bearer "+try.password)
		answer, err := plain.Do(out)
		if err != nil {
			return err
		}
		_ = answer.Body.Close()
		if answer.StatusCode != try.want {
			return fmt.Errorf("the database answers %d instead of %d", answer.StatusCode, try.want)
		}
	}
	w.line("the database takes it, and no other: the containers have what Vault has")
	return nil
}

// seek looks for the password in everything that server, runner, broker and Consul keep, print and say.
func (w *Walk) seek(ctx context.Context) error {
	s, err := NewSeeker(w.password)
	if err != nil {
		return err
	}
	for _, dir := range []string{w.vivarium.data, w.vivarium.work, w.vivarium.logs(), w.stack.path("rabbitmq"), w.stack.path("consul")} {
		if err := s.Folder(dir); err != nil {
			return err
		}
	}
	answers, err := w.answers(ctx)
	if err != nil {
		return err
	}
	for path, body := range answers {
		s.Text("the API's "+path, body)
	}
	events := w.publisher.Events()
	for _, e := range events {
		s.Text("an event", e)
	}
	for _, command := range []string{"show", "logs", "journal", "graph"} {
		said, err := w.vivarium.Command(ctx, "env", command, name).CombinedOutput()
		if err != nil {
			return fmt.Errorf("vivarium env %s: %w: %s", command, err, said)
		}
		s.Text("vivarium env "+command, said)
	}
	if len(s.Found) > 0 {
		return fmt.Errorf("the password is in %s", strings.Join(s.Found, ", "))
	}
	w.line("it is in none of %d files (data, store and journal of the server, files of the runner, logs, RabbitMQ, Consul)", s.Files)
	w.line("nor in %d answers of the API, %d events, or what `vivarium env` prints: %.1f MB in all", len(answers), len(events), float64(s.Bytes)/1e6)
	return nil
}

// answers are those of the API about the environment, by their paths.
func (w *Walk) answers(ctx context.Context) (map[string][]byte, error) {
	all := map[string][]byte{}
	var steps struct{ Items []struct{ Address string } }
	if err := get(ctx, request{URL: w.vivarium.API + "/environments/" + name + "/resources?limit=1000"}, &steps); err != nil {
		return nil, err
	}
	if len(steps.Items) == 0 {
		return nil, errors.New("the API shows no resources")
	}
	paths := []string{"", "/resources?limit=1000", "/operations", "/graph", "/journal?limit=1000", "/logs?limit=1000"}
	for _, s := range steps.Items {
		paths = append(paths, "/resources/"+url.PathEscape(s.Address), "/steps/"+url.PathEscape(s.Address)+"/logs?limit=1000")
	}
	for _, path := range paths {
		status, body, err := ask(ctx, request{Method: http.MethodGet, URL: w.vivarium.API + "/environments/" + name + path})
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK {
			return nil, fmt.Errorf("the API's %s answers %d: %s", path, status, body)
		}
		all[path] = body
	}
	return all, nil
}
