package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/vivarium-env/vivarium/pkg/draw"
)

// drawingProgram draws graphs; Graphviz' own program does, too.
const drawingProgram = "vivarium-draw"

// draws is nil when there is nothing that could draw.
func (s *instance) draws() func(context.Context, string) ([]byte, error) {
	program := findDrawing()
	if program == "" {
		s.log.Debug("pictures of graphs are not drawn: there is neither vivarium-draw nor dot")
		return nil
	}
	return draw.New(draw.Options{Program: program, Cache: filepath.Join(s.dir, "draw")}).SVG
}

// findDrawing looks beside this program, then along the path. It is empty when there is none.
func findDrawing() string {
	if own, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(own), drawingProgram)
		if path, err := exec.LookPath(beside); err == nil {
			return path
		}
	}
	for _, name := range []string{drawingProgram, "dot"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
