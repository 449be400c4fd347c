package bootstrap

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// RunUntil runs a command, whose lines go to out, until it prints the text, and kills it there (SIGKILL); without a text it ends by itself.
// It tells whether it was killed; the error is how the command ended.
func RunUntil(cmd *exec.Cmd, at string, out io.Writer) (killed bool, err error) {
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return false, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return false, err
	}
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 1<<20)
	for !killed && lines.Scan() {
		_, _ = fmt.Fprintln(out, lines.Text())
		if at != "" && strings.Contains(lines.Text(), at) {
			killed = cmd.Process.Kill() == nil
		}
	}
	_, _ = io.Copy(io.Discard, pipe) // until it is gone
	return killed, cmd.Wait()
}
