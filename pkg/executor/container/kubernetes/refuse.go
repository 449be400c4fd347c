package kubernetes

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// most is how much a Secret or a ConfigMap may hold, with room for their other fields in the 1 MiB that the API takes.
const most = 1_000_000

// refuse returns an error about what Kubernetes has no counterpart of.
func refuse(r executor.Request, b container.Block) error {
	if b.Restart == container.RestartNo || b.Restart == container.RestartOnFailure {
		return container.Invalid(r, "restart = %q is not to be had on Kubernetes, whose Deployments keep their containers running: leave it out", b.Restart)
	}
	if _, _, ok := identity(b.User); !ok {
		return container.Invalid(r, "user = %q has to be a number on Kubernetes, such as \"1000\" or \"1000:1000\"", b.User)
	}
	if b.ServiceAccount != "" && len(validation.IsDNS1123Subdomain(b.ServiceAccount)) > 0 {
		return container.Invalid(r, "service_account = %q can't be the name of an account: small letters, digits and hyphens", b.ServiceAccount)
	}
	if b.ServiceName != "" && len(validation.IsDNS1035Label(b.ServiceName)) > 0 {
		return container.Invalid(r, "service_name = %q can't be the name of a Service: small letters, digits and hyphens, with a letter first", b.ServiceName)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Labels)) {
		if len(validation.IsQualifiedName(name)) > 0 {
			return container.Invalid(r, "labels has %q, which can't be the name of a label or annotation on Kubernetes", name)
		}
	}
	size := 0
	for path, text := range b.Files {
		size += len(path) + len(text)
	}
	for name, text := range b.Env {
		size += len(name) + len(text)
	}
	if size > most {
		return container.Invalid(r, "files and env have %d bytes, of which Kubernetes keeps no more than %d: put large files into the image or a volume", size, most)
	}
	for _, e := range b.Expose {
		host := strings.TrimPrefix(e.Host, "*.")
		if len(validation.IsDNS1123Subdomain(host)) > 0 {
			return container.Invalid(r, "expose.host = %q has to be a name in DNS in small letters on Kubernetes, such as notes.example.test", e.Host)
		}
	}
	return refuseOpen(r, b)
}

// refuseAdoption is for a server that knows the block from a runner with Docker. What runs on a cluster is several objects,
// and a server-side apply would share their fields with whoever made them, instead of taking them over.
func refuseAdoption(r executor.Request) error {
	if r.Adopt == nil {
		return nil
	}
	return fault.New(fault.GiveUp, fault.Invalid, "%s can't be taken over: on Kubernetes nothing that is there already can, only containers on Docker", r.Step)
}

// refuseOpen returns an error about a secret where everybody who may look at a Deployment would see it. In env, files,
// command and entrypoint it comes by way of a Secret.
func refuseOpen(r executor.Request, b container.Block) error {
	open := map[string][]string{"image": {b.Image}, "user": {b.User}, "workdir": {b.Workdir}, "service_account": {b.ServiceAccount}, "service_name": {b.ServiceName}}
	for name, value := range b.Labels {
		open["labels"] = append(open["labels"], name, value)
	}
	for _, v := range b.Volumes {
		open["volume"] = append(open["volume"], v.Name, v.HostPath, v.Path)
	}
	for _, e := range b.Expose {
		open["expose"] = append(open["expose"], e.Host, e.Path)
	}
	if b.Health != nil {
		open["health"] = b.Health.Command
		if b.Health.HTTP != nil {
			open["health"] = []string{b.Health.HTTP.Path}
		}
	}
	for _, where := range sorted(open) {
		for _, text := range open[where] {
			if r.Mask(text) != text {
				return container.Invalid(r, "a sensitive value is in %s, where Kubernetes shows it to everybody who may look at a Deployment: "+
					"put it into env, files, command or entrypoint, which use a Secret", where)
			}
		}
	}
	return nil
}

// identity reads "", "USER" and "USER:GROUP" in numbers; -1 is none.
func identity(text string) (user, group int64, ok bool) {
	user, group = -1, -1
	if text == "" {
		return user, group, true
	}
	first, second, both := strings.Cut(text, ":")
	user, err := strconv.ParseInt(first, 10, 32)
	if err != nil || user < 0 {
		return user, group, false
	}
	if both {
		if group, err = strconv.ParseInt(second, 10, 32); err != nil || group < 0 {
			return user, group, false
		}
	}
	return user, group, true
}
