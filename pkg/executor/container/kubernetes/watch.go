package kubernetes

import (
	"context"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// again is how long a watch that ended is left alone, so that a server which ends them at once is not flooded.
const again = 500 * time.Millisecond

// scene is what the step has in the cluster, of the kinds that are watched.
type scene map[string]map[types.UID]live

func (s scene) of(k kind) map[types.UID]live { return s[k.Resource] }

// news is a whole list of a kind, or one change.
type news struct {
	kind    kind
	all     []live
	changed live
	deleted bool
	err     error
}

// until watches the step's objects of some kinds, and calls see with what there is, at first and after each change, until it
// says that it is done. alarm, where there is one, ends it with errAlarm.
func (s *session) until(ctx context.Context, alarm <-chan time.Time, see func(scene) (done bool, err error), kinds ...kind) error {
	inner, cancel := context.WithCancel(ctx)
	told := make(chan news)
	var over sync.WaitGroup
	defer over.Wait()
	defer cancel()
	for _, k := range kinds {
		over.Go(func() { s.watch(inner, k, told) })
	}
	sc := scene{}
	for {
		select {
		case n := <-told:
			if n.err != nil {
				return n.err
			}
			if sc.take(n); len(sc) < len(kinds) {
				continue // not all kinds have been listed yet
			}
			if done, err := see(sc); done || err != nil {
				return err
			}
		case <-alarm:
			return errAlarm
		case <-ctx.Done():
			return fault.From(ctx.Err())
		}
	}
}

var errAlarm = fault.New(fault.GiveUp, fault.Timeout, "it took longer than it may")

func (s scene) take(n news) {
	if n.changed == nil {
		s[n.kind.Resource] = map[types.UID]live{}
		for _, o := range n.all {
			s.of(n.kind)[o.GetUID()] = o
		}
		return
	}
	if n.deleted {
		delete(s.of(n.kind), n.changed.GetUID())
	} else {
		s.of(n.kind)[n.changed.GetUID()] = n.changed
	}
}

// watch tells what there is and then each change, until ctx ends or the API server does not answer.
func (s *session) watch(ctx context.Context, k kind, told chan<- news) {
	tell := func(n news) bool {
		n.kind = k
		select {
		case told <- n:
			return n.err == nil
		case <-ctx.Done():
			return false
		}
	}
	for {
		version, all, err := s.listed(ctx, k)
		if !tell(news{all: all, err: err}) {
			return
		}
		if err := s.changes(ctx, k, version, tell); err != nil {
			tell(news{err: err})
			return
		}
		timer := time.NewTimer(again)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func (s *session) listed(ctx context.Context, k kind) (version string, all []live, err error) {
	bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	list, err := s.of(k).List(bounded, metav1.ListOptions{LabelSelector: s.at.selector()})
	if err != nil {
		return "", nil, s.fault(ctx, toList, k, err)
	}
	for i := range list.Items {
		all = append(all, &list.Items[i])
	}
	return list.GetResourceVersion(), all, nil
}

// changes tells those since a version, until the API server ends the watch, which it does now and then.
func (s *session) changes(ctx context.Context, k kind, version string, tell func(news) bool) error {
	w, err := s.of(k).Watch(ctx, metav1.ListOptions{LabelSelector: s.at.selector(), ResourceVersion: version, AllowWatchBookmarks: true})
	if err != nil {
		if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			return nil
		}
		return s.fault(ctx, toWatch, k, err)
	}
	defer w.Stop()
	for e := range w.ResultChan() {
		o, ok := e.Object.(*unstructured.Unstructured)
		switch {
		case e.Type == watch.Error:
			if err := apierrors.FromObject(e.Object); !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) && status(err) != http.StatusInternalServerError {
				return s.fault(ctx, toWatch, k, err)
			}
			return nil
		case e.Type == watch.Bookmark || !ok:
		case !tell(news{changed: o, deleted: e.Type == watch.Deleted}):
			return nil
		}
	}
	return nil
}

func status(err error) int {
	if s, ok := err.(apierrors.APIStatus); ok {
		return int(s.Status().Code)
	}
	return 0
}

// vanished waits until one object is gone.
func (s *session) vanished(ctx context.Context, k kind, uid types.UID) error {
	return s.until(ctx, nil, func(sc scene) (bool, error) {
		_, there := sc.of(k)[uid]
		return !there, nil
	}, k)
}
