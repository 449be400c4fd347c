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
	err = runWith(cmd, at, out, func() { killed = cmd.Process.Kill() == nil })
	return killed, err
}

// runWith runs a command to its end, and does something when it prints the text for the first time.
func runWith(cmd *exec.Cmd, at string, out io.Writer, do func()) error {
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, _ = fmt.Fprintln(out, lines.Text())
		if at != "" && strings.Contains(lines.Text(), at) {
			at = ""
			do()
		}
	}
	_, _ = io.Copy(io.Discard, pipe) // what comes behind a line that is too long
	return cmd.Wait()
}
