package api

import (
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/elnormous/contenttype"
	"github.com/labstack/echo/v4"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// notAcceptable is the code of an answer that nobody could read.
const notAcceptable fault.Code = "not-acceptable"

// offers are the types that a route's good answers have, the one that is sent unless another is asked for first.
func (r route) offers() []string {
	var all []string
	for _, a := range r.answers {
		if a.status == http.StatusOK && a.mime != "" && !slices.Contains(all, a.mime) {
			all = append(all, a.mime)
		}
	}
	return all
}

// agree finds the type of the answer by the header Accept. What can't be read in it is left out, as the wildcards that old clients
// send are; without anything in it the first type is sent.
func (r route) agree(c echo.Context) (string, error) {
	offers := r.offered
	if len(offers) > 1 {
		c.Response().Header().Add(echo.HeaderVary, echo.HeaderAccept)
	}
	accept := c.Request().Header.Values(echo.HeaderAccept)
	if len(accept) == 0 {
		return offers[0], nil
	}
	var wanted []string
	for _, element := range strings.Split(strings.Join(accept, ","), ",") {
		named, parameters, err := mime.ParseMediaType(element)
		if err != nil || !strings.Contains(named, "/") {
			continue
		}
		if q, weighed := parameters["q"]; weighed {
			named += ";q=" + q
		}
		wanted = append(wanted, named) // a charset, or a version, makes no difference
	}
	if len(wanted) == 0 {
		return offers[0], nil
	}
	available := make([]contenttype.MediaType, len(offers))
	for i, o := range offers {
		available[i] = contenttype.NewMediaType(o)
	}
	agreed, _, err := contenttype.GetAcceptableMediaTypeFromHeader(strings.Join(wanted, ","), available)
	switch {
	case errors.Is(err, contenttype.ErrNoAcceptableTypeFound):
		return "", &problemError{status: http.StatusNotAcceptable, cause: fault.New(fault.Reject, notAcceptable,
			"this address answers as %s; the header Accept names none of them", strings.Join(offers, ", "))}
	case err != nil:
		return offers[0], nil
	}
	return agreed.MIME(), nil
}
