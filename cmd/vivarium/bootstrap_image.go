package main

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/bootstrap/image"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// What the template meta calls the image of the service, and when that is pulled.
const (
	imageParameter = "image"
	pullParameter  = "image_pull"
)

// serviceImage is the one that a run makes of the program that it is.
type serviceImage struct {
	*image.Image
	name  string // at its place
	place imagePlace
}

// packs makes the image of the service, unless one was named, and puts it where the service's containers find it. What a service that has its store runs is
// its own business: then only what is gone is put there again, and with --update what is new.
func (x *raising) packs(ctx context.Context) error {
	own, err := x.ownImage(ctx)
	if err != nil || !own {
		return err
	}
	i, err := x.imageOf(x.f.Program)
	if err != nil {
		return err
	}
	p := x.progress()
	x.image = &serviceImage{Image: i, place: x.imagePlace()}
	if x.image.name, err = x.image.place.Name(i); err != nil {
		return err
	}
	mended := x.kube == nil && x.image.name == p.Image
	if !p.HandedOver.IsZero() && !x.f.update && !mended {
		return nil
	}
	x.title("Image of the service")
	return x.pack(ctx)
}

func (x *raising) imagePlace() imagePlace {
	if x.kube == nil {
		return inDocker{x.engineAddress()}
	}
	return pushed(x.registry())
}

// registry is the one that was said now, or before.
func (x *raising) registry() string { return cmp.Or(x.f.Registry, x.progress().Registry) }

// ownImage tells whether this run makes the image. A service that was handed over with one that somebody named keeps it.
func (x *raising) ownImage(ctx context.Context) (bool, error) {
	t, err := x.catalogue.Get(ctx, bootstrap.Environment)
	if err != nil {
		return false, err
	}
	takes := slices.ContainsFunc(t.Parameters(), func(p template.Parameter) bool { return p.Name == imageParameter })
	p := x.progress()
	switch {
	case !takes, x.f.Location == onProcesses, x.namedImage(), !p.HandedOver.IsZero() && p.Image == "":
		return false, nil
	case x.kube != nil && x.registry() == "":
		return false, usage("say where the cluster has the service's image from: --image-registry HOST[/PATH] is where this run pushes one of itself, and --image NAME is one "+
			"that is there already. Without a registry, `%s image --archive FILE` writes one, which is to be loaded on each node, and prints its name", x.program)
	}
	return true, nil
}

// namedImage tells whether these words say which image the service has.
func (x *raising) namedImage() bool {
	var of struct{ Service string }
	_ = json.Unmarshal(x.f.parameters["images"], &of) // what is wrong with it is said when environment zero is made of it
	return x.f.Image != "" || of.Service != "" || x.text(imageParameter, "") != ""
}

// progress is that of the work folder, which a plan does not have.
func (x *raising) progress() (p bootstrap.Progress) {
	if x.folder != nil {
		p = x.folder.Progress()
	}
	return p
}

// pack finds what an earlier run has done of it. What it makes is noted before, so that a destroy knows of it.
func (x *raising) pack(ctx context.Context) error {
	i := x.image
	there, err := i.place.Has(ctx, i.Image)
	if err != nil {
		return err
	}
	state := "is"
	if !there {
		state = "is made of this program (" + bytesText(i.Size()) + "), and put"
	}
	if x.f.plan {
		x.say("  %s %s %s.", i.name, state, i.place)
		return nil
	}
	if err := x.unbegun(ctx); err != nil {
		return err
	}
	err = x.folder.Note(func(p *bootstrap.Progress) {
		p.Image, p.Registry = i.name, x.registry()
		if !there && !slices.Contains(p.Made, i.name) {
			p.Made = append(p.Made, i.name)
		}
	})
	if err != nil {
		return err
	}
	x.say("  %s %s %s.", i.name, state, i.place)
	if there {
		return nil
	}
	return i.place.Push(ctx, i.Image)
}

// unbegun refuses where somebody else's environment zero is, before anything is put into this machine's Docker for ours.
func (x *raising) unbegun(ctx context.Context) error {
	_, err := os.Stat(x.folder.Path("data", "store.db"))
	if x.kube != nil || x.progress().Image != "" || err == nil {
		return nil
	}
	return x.vacant(ctx)
}

// imaged are the parameters of the template meta about the image. Nobody but this run has what it loads, so that is never pulled.
func (x *raising) imaged(ours map[string]any) {
	p := x.progress()
	switch {
	case x.image != nil && x.kube == nil:
		ours[imageParameter], ours[pullParameter] = x.image.name, "never"
	case x.image != nil:
		ours[imageParameter] = x.image.name
	case x.f.Image != "":
		ours[imageParameter] = x.f.Image
		if p.Image != "" { // it may have been said before
			ours[pullParameter] = ""
		}
	}
}

// unpacks removes what pack has put into Docker, unless somebody uses it. A registry's images may be anybody's by now.
func (x *raising) unpacks(ctx context.Context) error {
	made := x.folder.Progress().Made
	if len(made) > 0 && x.kube != nil {
		x.say("\nWhat this has pushed stays there, since others may use it: %s", strings.Join(made, ", "))
		return nil
	}
	for _, name := range made {
		d := inDocker{x.engineAddress()}
		by, err := d.remove(ctx, name)
		if err != nil {
			return err
		}
		if len(by) > 0 {
			x.say("\nThe image %s stays, since something uses it: %s", name, strings.Join(by, ", "))
		} else {
			x.say("\nThe image %s is removed.", name)
		}
	}
	return nil
}
