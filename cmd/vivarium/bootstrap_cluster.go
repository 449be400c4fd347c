package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/bootstrap/cluster"
	"github.com/vivarium-env/vivarium/pkg/executor/container/kubernetes"
	"github.com/vivarium-env/vivarium/pkg/executor/helm"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// inCluster is what the template calls a location that is a cluster.
const inCluster = "kubernetes"

// defaultNamespace is where a bootstrap puts everything in a cluster.
const defaultNamespace = "vivarium"

// mostCatalogue bounds what travels with the service as files, in bytes: a ConfigMap holds no more.
const mostCatalogue = 900_000

// onMachine tells whether a location is this machine, and no cluster.
func onMachine(location string) bool { return location == onProcesses || location == onThisDocker }

// connect finds the cluster, and finds out whether all that is to be done there may be done, before anything is.
func (x *raising) connect(ctx context.Context) error {
	files := kubeconfigs(x.variables)
	if len(files) == 0 {
		return usage("the location %q would be a context of a kubeconfig or the address of a cluster in one, and there is none: name it with KUBECONFIG; "+
			"without a cluster, --location local or process is this machine, and bootstrap/README.md has how to come by one (MicroK8s, Azure)", x.f.Location)
	}
	place, err := cluster.Find(files, x.f.Location)
	if err != nil {
		return err
	}
	namespace := x.f.Namespace
	if x.folder != nil {
		namespace = x.folder.Progress().Site.Namespace
	}
	if x.kube, err = cluster.Connect(place, namespace); err != nil {
		return err
	}
	if err := x.kube.Check(ctx, x.rights()); err != nil {
		return err
	}
	return x.kube.Mine(ctx, bootstrap.Environment, x.keyID())
}

// rights are what the profile needs in the namespace.
func (x *raising) rights() []rbacv1.PolicyRule {
	if x.f.Profile == profileFull {
		return append(kubernetes.Rights(), helm.Rights()...)
	}
	return kubernetes.Rights()
}

// keyID tells whose namespaces are ours; "" before there is a key.
func (x *raising) keyID() string {
	if x.folder == nil {
		return ""
	}
	return x.folder.Progress().KeyID
}

// kubeconfigs are the files that kubectl reads.
func kubeconfigs(variables map[string]string) []string {
	files := namedKubeconfigs(variables)
	if len(files) > 0 || variables["HOME"] == "" {
		return files
	}
	file := filepath.Join(variables["HOME"], ".kube", "config")
	if _, err := os.Stat(file); err != nil {
		return nil
	}
	return []string{file}
}

// close ends the ways into the cluster.
func (x *raising) close() {
	if x.kube != nil {
		x.kube.Close()
	}
}

// claim makes the namespace and the account of the runner.
func (x *raising) claim(ctx context.Context) error {
	if x.kube == nil {
		return nil
	}
	return x.kube.Claim(ctx, bootstrap.Environment, x.keyID(), x.rights())
}

// release removes what claim has made.
func (x *raising) release(ctx context.Context) error {
	if x.kube == nil {
		return nil
	}
	left, err := x.kube.Release(ctx, bootstrap.Environment, x.keyID())
	if err == nil && len(left) > 0 {
		x.say("\nThe namespace %s stays, since others have something in it: %s", x.kube.Namespace(), strings.Join(left, ", "))
	}
	return err
}

// making is how the engine makes servers ready.
func (x *raising) making() (o initialise.Options) {
	if x.keys != nil {
		o.Keys = x.keys.Keys
	}
	o.Dial = x.way()
	return o
}

// way leads to what was raised: into a cluster through its API server, by the addresses that those within it know.
func (x *raising) way() dialer {
	if x.kube == nil {
		return nil
	}
	return x.kube.Dial
}

// api is where the service is.
func (x *raising) api() string { return x.folder.Progress().API }

// clustered are the parameters of the template meta that a cluster needs.
func (x *raising) clustered(ours map[string]any) error {
	if x.kube == nil {
		return nil
	}
	files := map[string]string{}
	if _, said := x.f.parameters["catalogue"]; !said {
		var err error
		if files, err = catalogueFiles(x.further); err != nil {
			return err
		}
	}
	ours["location"], ours["program"], ours["folder"], ours["programs"] = inCluster, "/usr/bin/vivarium", "/vivarium", []string{}
	ours["namespace"], ours["account"], ours["catalogue"], ours["catalogue_files"] = x.kube.Namespace(), cluster.Account, "", files
	if x.f.Profile == profileFull {
		ours["profile"] = profileFull
	}
	return nil
}

// catalogueFiles are a catalogue's texts by their paths: the service in a cluster need not have git, nor a way to where the repositories are.
func catalogueFiles(dir string) (map[string]string, error) {
	files, size := map[string]string{}, 0
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == ".git":
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		why := ""
		if size += len(text); size > mostCatalogue {
			why = fmt.Sprintf("all together are more than %d bytes", mostCatalogue)
		} else if !utf8.Valid(text) {
			why = name + " is no text"
		}
		if why != "" {
			return fault.New(fault.Reject, fault.Invalid, "the templates can't travel with the service, as %s: have the service fetch them itself with "+
				"--param catalogue=URL, for which its image needs git", why)
		}
		files[name] = string(text)
		return nil
	})
	return files, err
}

// hint is how people have the service do something: on its data folder, or in its pod.
func (x *raising) hint(words ...string) string {
	if x.kube == nil {
		return fmt.Sprintf("%s %s --data-dir %s", x.program, strings.Join(words, " "), filepath.Dir(x.storeFile()))
	}
	_, host, _ := strings.Cut(x.api(), "://")
	host, _, _ = strings.Cut(host, ".")
	return fmt.Sprintf("kubectl --context %s -n %s exec deployment/%s -- /usr/bin/vivarium %s --data-dir /vivarium/data",
		x.kube.Place().Context, x.kube.Namespace(), host, strings.Join(words, " "))
}
