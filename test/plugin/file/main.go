// Command file is an executor of its own: resource "file" "greeting" { path = "/tmp/greeting", content = "hello" } keeps a file.
// Built into the runner's folder of plugins, it is found when the runner starts:
//
//	go build -o plugins/file ./test/plugin/file
//	VIVARIUM_PLUGINS=plugins vivarium server --primary
package main

import "github.com/vivarium-env/vivarium/pkg/executor/plugin"

func main() { plugin.Serve(file{}) }
