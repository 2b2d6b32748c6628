"use strict";
/* Expressions are interpreted (ast), since the page's policy forbids making code from text. */
const embedOptions = {ast: true, renderer: "svg", actions: false, defaultStyle: false};
const drawn = Array.from(document.querySelectorAll("[data-chart]"), (place) => {
  const spec = JSON.parse(document.getElementById(place.dataset.chart).textContent);
  return vegaEmbed(place, spec, embedOptions).catch((error) => {
    console.error(error);
    place.textContent = "This chart could not be drawn; the tables hold the same figures.";
  });
});
Promise.all(drawn).then(() => { document.documentElement.dataset.charts = "drawn"; });
