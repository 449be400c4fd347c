package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// file is the resource sample_file.
type file struct{}

// model is what it is made of.
type model struct {
	ID      types.String `tfsdk:"id"`
	Path    types.String `tfsdk:"path"`
	Content types.String `tfsdk:"content"`
	Token   types.String `tfsdk:"token"`
	Crash   types.String `tfsdk:"crash"`
	Gate    types.String `tfsdk:"gate"`
}

func (*file) Metadata(_ context.Context, _ resource.MetadataRequest, r *resource.MetadataResponse) {
	r.TypeName = "sample_file"
}

func (*file) Schema(_ context.Context, _ resource.SchemaRequest, r *resource.SchemaResponse) {
	r.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"id": schema.StringAttribute{Computed: true, PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()}},
		"path": schema.StringAttribute{
			Required: true, PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
			Description: "Where the file is.",
		},
		"content": schema.StringAttribute{Required: true, Description: "The first line of the file."},
		"token":   schema.StringAttribute{Optional: true, Sensitive: true, Description: "The second line of the file."},
		"crash":   schema.StringAttribute{Optional: true, Description: "The operation in which the provider panics: create, update, read or delete."},
		"gate":    schema.StringAttribute{Optional: true, Description: "A file that create and update wait for, once the file is written."},
	}}
}

func (*file) Create(ctx context.Context, q resource.CreateRequest, r *resource.CreateResponse) {
	var m model
	if r.Diagnostics.Append(q.Plan.Get(ctx, &m)...); r.Diagnostics.HasError() {
		return
	}
	if err := m.write(ctx, "create"); err != nil {
		r.Diagnostics.AddError("The file can't be made", err.Error())
		return
	}
	m.ID = m.Path
	r.Diagnostics.Append(r.State.Set(ctx, &m)...)
}

func (*file) Read(ctx context.Context, q resource.ReadRequest, r *resource.ReadResponse) {
	var m model
	if r.Diagnostics.Append(q.State.Get(ctx, &m)...); r.Diagnostics.HasError() {
		return
	}
	m.crash("read")
	text, err := os.ReadFile(m.Path.ValueString())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.State.RemoveResource(ctx)
		return
	case err != nil:
		r.Diagnostics.AddError("The file can't be read", err.Error())
		return
	}
	content, token, _ := strings.Cut(string(text), "\n")
	m.Content = types.StringValue(content)
	if token = strings.TrimSuffix(token, "\n"); token != "" || !m.Token.IsNull() {
		m.Token = types.StringValue(token)
	}
	r.Diagnostics.Append(r.State.Set(ctx, &m)...)
}

func (*file) Update(ctx context.Context, q resource.UpdateRequest, r *resource.UpdateResponse) {
	var m model
	if r.Diagnostics.Append(q.Plan.Get(ctx, &m)...); r.Diagnostics.HasError() {
		return
	}
	if err := m.write(ctx, "update"); err != nil {
		r.Diagnostics.AddError("The file can't be changed", err.Error())
		return
	}
	r.Diagnostics.Append(r.State.Set(ctx, &m)...)
}

func (*file) Delete(ctx context.Context, q resource.DeleteRequest, r *resource.DeleteResponse) {
	var m model
	if r.Diagnostics.Append(q.State.Get(ctx, &m)...); r.Diagnostics.HasError() {
		return
	}
	m.crash("delete")
	if err := os.Remove(m.Path.ValueString()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.Diagnostics.AddError("The file can't be removed", err.Error())
	}
}

// ImportState takes over a file by its path.
func (*file) ImportState(ctx context.Context, q resource.ImportStateRequest, r *resource.ImportStateResponse) {
	for _, name := range []string{"id", "path"} {
		r.Diagnostics.Append(r.State.SetAttribute(ctx, path.Root(name), q.ID)...)
	}
}

// write makes the file, and waits for the gate.
func (m model) write(ctx context.Context, operation string) error {
	m.crash(operation)
	text := m.Content.ValueString() + "\n"
	if token := m.Token.ValueString(); token != "" {
		text += token + "\n"
	}
	if err := os.WriteFile(m.Path.ValueString(), []byte(text), 0o600); err != nil {
		return err
	}
	for gate := m.Gate.ValueString(); gate != ""; {
		if _, err := os.Stat(gate); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

func (m model) crash(operation string) {
	if m.Crash.ValueString() == operation {
		panic(fmt.Sprintf("asked to crash in %s", operation))
	}
}
