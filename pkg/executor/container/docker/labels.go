package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
)

// Labels of a container besides those that say whose it is.
const (
	// labelFiles has the paths of the files, and a keyed hash of each.
	labelFiles = container.LabelPrefix + "files"
	// labelHidden names what held a secret when the container was made, so that it is not shown once it is one no more.
	labelHidden = container.LabelPrefix + "hidden"
)

func (w *work) labels(replica int) map[string]string {
	labels := w.traefik()
	maps.Copy(labels, w.block.Labels)
	maps.Copy(labels, container.Owner(w.r))
	labels[container.LabelReplica] = strconv.Itoa(replica)
	labels[container.LabelHash] = w.hash
	if files := w.fileHashes(); len(files) > 0 {
		labels[labelFiles] = replicas.JSON(files)
	}
	if hidden := w.hidden(); len(hidden) > 0 {
		labels[labelHidden] = replicas.JSON(hidden)
	}
	return labels
}

// fileHash is how much of a fingerprint tells one content of a file from another.
const fileHash = 16

// fileHashes are keyed like the fingerprint, and cut to what tells one content from another.
func (w *work) fileHashes() map[string]string {
	hashes := make(map[string]string, len(w.block.Files))
	for path, content := range w.block.Files {
		if sum, err := container.Fingerprint(w.box(), w.r, "file", path, content); err == nil {
			hashes[path] = sum[:fileHash]
		}
	}
	return hashes
}

// hidden are the paths of what has a secret in it.
func (w *work) hidden() []string {
	var paths []string
	for path, text := range w.wanted(nil) {
		if w.r.Mask(text) != text {
			paths = append(paths, path)
		}
	}
	for path, content := range w.block.Files {
		if w.r.Mask(content) != content {
			paths = append(paths, filePath(path))
		}
	}
	slices.Sort(paths)
	return paths
}

// traefik tells a Traefik that watches the engine where to find the replicas. All replicas of a step are one service of it. A
// request for which no connection can be made goes to another replica: for a moment Traefik may not know that one is gone.
func (w *work) traefik() map[string]string {
	labels := map[string]string{}
	if len(w.block.Expose) == 0 {
		return labels
	}
	id := w.routeID()
	labels["traefik.enable"] = "true"
	labels["traefik.http.middlewares."+id+"-retry.retry.attempts"] = "3"
	if first := w.firstNetwork(); !predefined(first) {
		labels["traefik.docker.network"] = first
	}
	for i, e := range w.block.Expose {
		w.route(labels, fmt.Sprintf("%s-%d", id, i), id+"-retry", e)
	}
	return labels
}

func (w *work) route(labels map[string]string, id, retry string, e container.Expose) {
	router, service := "traefik.http.routers."+id+".", "traefik.http.services."+id+".loadbalancer."
	rule := "Host(`" + e.Host + "`)"
	if e.Path != "" && e.Path != "/" {
		rule += " && PathPrefix(`" + e.Path + "`)"
	}
	labels[router+"rule"] = rule
	labels[router+"service"] = id
	labels[router+"middlewares"] = retry
	if e.TLS {
		labels[router+"tls"] = "true"
	}
	labels[service+"server.port"] = strconv.Itoa(e.Port)
	if h := w.block.Health; h != nil && h.HTTP != nil {
		labels[service+"healthcheck.path"] = h.HTTP.Path
		labels[service+"healthcheck.port"] = strconv.Itoa(h.HTTP.Port)
		labels[service+"healthcheck.interval"] = seconds(h.Interval)
		labels[service+"healthcheck.timeout"] = seconds(h.Timeout)
	}
}

// routeID is unique among all environments.
func (w *work) routeID() string {
	sum := sha256.Sum256([]byte(w.r.Environment + "\x00" + w.r.Step))
	return container.Slug(w.r.Environment) + "-" + container.Service(w.r) + "-" + hex.EncodeToString(sum[:4])
}
