// Command protobuf writes the Go code of schemas/executor.proto. It needs no other program than go: the compiler and the
// generators are Go modules, pinned in go.mod.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

const (
	source = "executor.proto"
	target = "../../pkg/executor/plugin/internal/wire"
)

func main() {
	compiler := protocompile.Compiler{
		Resolver:       &protocompile.SourceResolver{ImportPaths: []string{"../../schemas"}},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), source)
	if err != nil {
		log.Fatal(err)
	}
	parameter := "paths=source_relative"
	request, err := proto.Marshal(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{source}, Parameter: &parameter,
		ProtoFile: []*descriptorpb.FileDescriptorProto{protodesc.ToFileDescriptorProto(files[0])},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, generator := range []string{"protoc-gen-go", "protoc-gen-go-grpc"} {
		generate(generator, request)
	}
	record()
}

// record keeps the checksum of what the code was made from, by which a test finds code that is out of date.
func record() {
	text, err := os.ReadFile("../../schemas/" + source)
	if err != nil {
		log.Fatal(err)
	}
	sum := sha256.Sum256(text)
	if err := os.WriteFile(filepath.Join(target, source+".sha256"), []byte(hex.EncodeToString(sum[:])+"\n"), 0o644); err != nil {
		log.Fatal(err)
	}
}

func generate(generator string, request []byte) {
	cmd := exec.Command("go", "tool", generator)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(request), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		log.Fatalf("%s: %v", generator, err)
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(out, &response); err != nil || response.Error != nil {
		log.Fatalf("%s: %v %s", generator, err, response.GetError())
	}
	for _, file := range response.File {
		if err := os.WriteFile(filepath.Join(target, file.GetName()), []byte(file.GetContent()), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
