package container

import (
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// Name is the kind's name.
const Name = "container"

// Kind is the block: an image, what runs in it, and how it is reached. It is the same for every target.
func Kind() template.Kind {
	return template.Kind{
		Name: Name, Adopts: true,
		Idempotent: true, Replace: replace,
		Retry: &environment.RetryPolicy{Attempts: 3, Backoff: time.Second, MaxBackoff: 30 * time.Second}, Timeout: 15 * time.Minute,
		Spec: hcldec.ObjectSpec{
			"image":           checked(required("image", cty.String), notEmpty),
			"command":         optional("command", cty.List(cty.String)),
			"entrypoint":      optional("entrypoint", cty.List(cty.String)),
			"env":             optional("env", cty.Map(cty.String)),
			"files":           optional("files", cty.Map(cty.String)),
			"user":            optional("user", cty.String),
			"service_account": optional("service_account", cty.String),
			"service_name":    optional("service_name", cty.String),
			"workdir":         checked(optional("workdir", cty.String), absolute),
			"replicas":        checked(optional("replicas", cty.Number), whole(1, maxReplicas)),
			"pull":            checked(optional("pull", cty.String), oneOf(PullMissing, PullAlways, PullNever)),
			"restart":         checked(optional("restart", cty.String), oneOf(RestartAlways, RestartOnFailure, RestartNo, RestartUnlessStopped)),
			"networks":        optional("networks", cty.List(cty.String)),
			"labels":          optional("labels", cty.Map(cty.String)),
			"stop_timeout":    checked(optional("stop_timeout", cty.String), duration),
			"port":            blocks("port", portSpec()),
			"volume":          blocks("volume", volumeSpec()),
			"limits":          block("limits", limitsSpec()),
			"health":          block("health", healthSpec()),
			"expose":          blocks("expose", exposeSpec()),
			"update":          block("update", updateSpec()),
		},
		Outputs: map[string]template.Output{
			"names":     {Type: cty.List(cty.String), Description: "The names of the containers (or pods), one a replica, in order."},
			"image_id":  {Type: cty.String, Description: "The id of the image that runs."},
			"addresses": {Type: cty.List(cty.String), Description: "The address of each replica in its first network."},
			"ports":     {Type: cty.Map(cty.Number), Description: "Where a port of the container is to be reached on the host, by the container's port; of the first replica."},
			"url":       {Type: cty.String, Description: "The URL of the first expose, or nothing."},
			"host":      {Type: cty.String, Description: "The host that ports are of."},
		},
	}
}

func portSpec() hcldec.ObjectSpec {
	return hcldec.ObjectSpec{
		"container": checked(required("container", cty.Number), whole(1, maxPort)),
		"host":      checked(optional("host", cty.Number), whole(1, maxPort)),
		"protocol":  checked(optional("protocol", cty.String), oneOf(TCP, UDP)),
	}
}

func volumeSpec() hcldec.ObjectSpec {
	return hcldec.ObjectSpec{
		"name":      optional("name", cty.String),
		"host_path": checked(optional("host_path", cty.String), absolute),
		"path":      checked(required("path", cty.String), absolute),
		"read_only": optional("read_only", cty.Bool),
		"keep":      optional("keep", cty.Bool),
	}
}

func limitsSpec() hcldec.ObjectSpec {
	return hcldec.ObjectSpec{
		"cpu":    checked(optional("cpu", cty.Number), positive),
		"memory": checked(optional("memory", cty.String), size),
	}
}

func healthSpec() hcldec.ObjectSpec {
	return hcldec.ObjectSpec{
		"http": block("http", hcldec.ObjectSpec{
			"path": optional("path", cty.String),
			"port": checked(required("port", cty.Number), whole(1, maxPort)),
			"tls":  optional("tls", cty.Bool),
			"ca":   optional("ca", cty.String),
		}),
		"tcp":          block("tcp", hcldec.ObjectSpec{"port": checked(required("port", cty.Number), whole(1, maxPort))}),
		"command":      optional("command", cty.List(cty.String)),
		"interval":     checked(optional("interval", cty.String), duration),
		"timeout":      checked(optional("timeout", cty.String), duration),
		"retries":      checked(optional("retries", cty.Number), whole(1, maxRetries)),
		"start_period": checked(optional("start_period", cty.String), duration),
	}
}

func exposeSpec() hcldec.ObjectSpec {
	return hcldec.ObjectSpec{
		"host": checked(required("host", cty.String), notEmpty),
		"path": checked(optional("path", cty.String), absolute),
		"port": checked(required("port", cty.Number), whole(1, maxPort)),
		"tls":  optional("tls", cty.Bool),
	}
}

func updateSpec() hcldec.ObjectSpec {
	return hcldec.ObjectSpec{
		"health_timeout": checked(optional("health_timeout", cty.String), duration),
		"order":          checked(optional("order", cty.String), oneOf(StartFirst, StopFirst)),
	}
}
