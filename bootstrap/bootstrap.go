// Package bootstrap is what the meta environment is made of: the template that `vivarium bootstrap` runs where a
// configuration repository has none of its own.
package bootstrap

import "embed"

// Templates is a catalogue: a folder for each template.
//
//go:embed templates
var Templates embed.FS
