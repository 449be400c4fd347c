package helm

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/registry"
	"helm.sh/helm/v3/pkg/repo"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Bounds of what is fetched, in bytes.
const (
	maxIndex = 64 << 20
	maxChart = 32 << 20
)

// fetched is a chart of a repository or a registry. A chart with a version is taken to stay what it is, so it is fetched once.
func (s *session) fetched() (*chart.Chart, error) {
	kept := filepath.Join(s.options.CacheDir, hash([]byte(s.block.Repository+"\x00"+s.block.Chart+"\x00"+s.block.Version))+".tgz")
	data, err := os.ReadFile(kept) //nolint:gosec // a name of ours
	if err != nil {
		if registry.IsOCI(s.block.Chart) {
			data, err = s.pull()
		} else {
			data, err = s.download()
		}
		if err != nil {
			return nil, err
		}
	}
	c, err := loader.LoadArchive(bytes.NewReader(data))
	if err == nil {
		err = usable(c)
	}
	if err != nil {
		_ = os.Remove(kept) // it is fetched again the next time
		return nil, fault.Wrap(err, fault.GiveUp, fault.Invalid, "the chart %s of %s %s", s.chartName(), s.r.Step, s.said(err))
	}
	s.keep(kept, data)
	return c, nil
}

func (s *session) chartName() string {
	return s.veil.mask(strings.TrimSpace(s.block.Chart + " " + s.block.Version))
}

// keep writes a chart to the cache, whole or not at all; without it, it is fetched again.
func (s *session) keep(file string, data []byte) {
	if s.options.CacheDir == "" {
		return
	}
	err := os.MkdirAll(s.options.CacheDir, 0o700)
	var f *os.File
	if err == nil {
		f, err = os.CreateTemp(s.options.CacheDir, "chart-")
	}
	if err == nil {
		_, err = f.Write(data)
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err == nil {
			err = os.Rename(f.Name(), file)
		}
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}
	if err != nil {
		s.options.Log.Warn("a chart is not kept, and will be fetched again", "error", err)
	}
}

// pull fetches a chart of a registry.
func (s *session) pull() ([]byte, error) {
	options := []registry.ClientOption{
		registry.ClientOptHTTPClient(&http.Client{Transport: bound{ctx: s.ctx, next: s.transport, lost: &s.lost}}),
		registry.ClientOptCredentialsFile(filepath.Join(s.options.CacheDir, "credentials.json")), // which is not there: nobody's but the block's
		registry.ClientOptWriter(io.Discard),
	}
	if s.block.Username != "" {
		options = append(options, registry.ClientOptBasicAuth(s.block.Username, s.block.Password))
	}
	c, err := registry.NewClient(options...)
	if err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Internal, "no client of registries can be made for %s", s.r.Step)
	}
	found, err := c.Pull(strings.TrimPrefix(s.block.Chart, registry.OCIScheme+"://")+":"+s.block.Version, registry.PullOptWithChart(true))
	if err != nil {
		return nil, s.unfetched(err)
	}
	return found.Chart.Data, nil
}

// download fetches a chart of a repository, and holds it against the digest that its index has.
func (s *session) download() ([]byte, error) {
	index, err := s.index()
	if err != nil {
		return nil, err
	}
	version, err := index.Get(s.block.Chart, s.block.Version)
	if err != nil || len(version.URLs) == 0 {
		return nil, fault.Wrap(err, fault.GiveUp, fault.NotFound, "the repository %s has no chart %s, which %s needs", s.veil.mask(s.block.Repository), s.chartName(), s.r.Step)
	}
	url, err := repo.ResolveReferenceURL(s.block.Repository, version.URLs[0])
	if err != nil {
		return nil, s.unfetched(err)
	}
	data, err := s.get(url, maxChart)
	if err != nil {
		return nil, err
	}
	if version.Digest != "" && !strings.EqualFold(strings.TrimPrefix(version.Digest, "sha256:"), hash(data)) {
		return nil, fault.New(fault.Retry, fault.Unreadable, "the chart %s of %s is not what the repository's index says: its SHA-256 is another", s.chartName(), s.r.Step)
	}
	return data, nil
}

func (s *session) index() (*repo.IndexFile, error) {
	data, err := s.get(strings.TrimSuffix(s.block.Repository, "/")+"/index.yaml", maxIndex)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(s.r.WorkDir, "index-") // Helm reads it of a file
	if err != nil {
		return nil, fault.Wrap(err, fault.Retry, fault.Internal, "the index of a repository can't be written for %s", s.r.Step)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is small
	_, err = f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Retry, fault.Internal, "the index of a repository can't be written for %s", s.r.Step)
	}
	index, err := repo.LoadIndexFile(f.Name())
	if err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Unreadable, "%s has no index of charts that can be read, which %s needs", s.veil.mask(s.block.Repository), s.r.Step)
	}
	return index, nil
}

// get reads a file of the repository. The block's credentials go to its own host alone.
func (s *session) get(url string, most int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(s.ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, s.unfetched(err)
	}
	home, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.block.Repository, nil)
	if err != nil {
		return nil, s.unfetched(err)
	}
	if s.block.Username != "" && request.URL.Host == home.URL.Host && request.URL.Scheme == home.URL.Scheme {
		request.SetBasicAuth(s.block.Username, s.block.Password)
	}
	answer, err := (&http.Client{Transport: s.transport}).Do(request)
	if err != nil {
		return nil, s.unfetched(err)
	}
	defer answer.Body.Close() //nolint:errcheck // it has been read
	if answer.StatusCode != http.StatusOK {
		return nil, s.refused(answer.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	if err != nil {
		return nil, s.unfetched(err)
	}
	if int64(len(data)) > most {
		return nil, fault.New(fault.GiveUp, fault.Invalid, "the repository of %s sends more than %d MiB", s.r.Step, most>>20)
	}
	return data, nil
}

// refused is about an answer that is no file.
func (s *session) refused(code int) error {
	d, c := fault.GiveUp, fault.NotFound
	if code == http.StatusTooManyRequests || code >= http.StatusInternalServerError {
		d, c = fault.Retry, fault.Unavailable
	}
	return fault.New(d, c, "the repository %s answers with the HTTP status %d where %s looks for the chart %s", s.veil.mask(s.block.Repository), code, s.r.Step, s.chartName())
}

// unfetched is about a repository or registry that gave nothing.
func (s *session) unfetched(err error) error {
	if s.ctx.Err() != nil {
		return fault.From(s.ctx.Err())
	}
	return fault.Wrap(veiled{err, s.said(err)}, fault.Retry, fault.Unavailable, "the chart %s of %s can't be fetched: %s", s.chartName(), s.r.Step, s.said(err))
}
