package main

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/bootstrap/cluster"
)

// TestWhoMakesTheImageOfTheService: a run does, unless somebody named one, or the service has one that somebody had named.
func TestWhoMakesTheImageOfTheService(t *testing.T) {
	handed, ours := bootstrap.Progress{HandedOver: time.Unix(1, 0)}, bootstrap.Progress{HandedOver: time.Unix(1, 0), Image: "vivarium:1-0123456789ab"}
	pushedBefore := bootstrap.Progress{Registry: "registry.example.test"}
	for name, c := range map[string]struct {
		location, image, registry, parameters string
		at                                    bootstrap.Progress
		own                                   bool
		says                                  string
	}{
		"Docker":                               {location: onThisDocker, own: true},
		"Docker, other images named":           {location: onThisDocker, parameters: `{"images":{"broker":"b","consul":"c","vault":"v"}}`, own: true},
		"Docker, named":                        {location: onThisDocker, image: "mine:1"},
		"Docker, named as a parameter":         {location: onThisDocker, parameters: `{"image":"mine:1"}`},
		"Docker, named among the images":       {location: onThisDocker, parameters: `{"images":{"broker":"b","consul":"c","vault":"v","service":"mine:1"}}`},
		"Docker, handed over with a named one": {location: onThisDocker, at: handed},
		"Docker, handed over with ours":        {location: onThisDocker, at: ours, own: true},
		"processes":                            {location: onProcesses},
		"cluster":                              {location: "context", says: "--image-registry HOST[/PATH]"},
		"cluster, named":                       {location: "context", image: "mine:1"},
		"cluster, pushed":                      {location: "context", registry: "registry.example.test", own: true},
		"cluster, as said before":              {location: "context", at: pushedBefore, own: true},
		"cluster, handed over":                 {location: "context", at: handed},
	} {
		x := &raising{cli: newFake(nil).cli, f: bootstrapFlags{Location: c.location, Image: c.image, Registry: c.registry, parameters: map[string]json.RawMessage{}}}
		if !onMachine(c.location) {
			x.kube = &cluster.Cluster{}
		}
		if c.parameters != "" {
			require.NoError(t, json.Unmarshal([]byte(c.parameters), &x.f.parameters))
		}
		dir := t.TempDir()
		kinds, err := x.kinds(t.Context())
		require.NoError(t, err)
		require.NoError(t, writeShipped(filepath.Join(dir, "shipped"), "."))
		x.catalogue, err = bootstrap.Check(t.Context(), bootstrap.Repository{Name: "shipped", Dir: filepath.Join(dir, "shipped")}, kinds)
		require.NoError(t, err)
		x.folder, err = bootstrap.OpenFolder(filepath.Join(dir, "work"), bootstrap.Site{Location: c.location})
		require.NoError(t, err)
		require.NoError(t, x.folder.Note(func(p *bootstrap.Progress) { c.at.Site = p.Site; *p = c.at }))

		own, err := x.ownImage(t.Context())
		if c.says != "" {
			require.ErrorContains(t, err, c.says, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, c.own, own, name)
	}
}

// TestImageRefusesWhatItCanNotDo: two places, or a program that is another.
func TestImageRefusesWhatItCanNotDo(t *testing.T) {
	for says, args := range map[string][]string{
		"three places: give one":                     {"image", "--docker", "--archive", "x"},
		"three places: give":                         {"image", "--registry", "x", "--archive", "x"},
		"it is no program that Go has built":         {"image", "--program", "image.go"},
		"--image names an image that is there":       {"bootstrap", "--location", "local", "--keys", "-", "--image", "x", "--image-program", "x"},
		"on this machine nothing is pushed":          {"bootstrap", "--location", "local", "--keys", "-", "--image-registry", "x"},
		"on this machine its programs are processes": {"bootstrap", "--location", "process", "--keys", "-", "--image-program", "x"},
	} {
		f := newFake(nil)
		require.NotEqual(t, exitOK, f.run(t.Context(), args), says)
		require.Contains(t, f.stderr.String(), says)
	}
}
