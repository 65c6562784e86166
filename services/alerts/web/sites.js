// Sites as people know them: by the name that the sites file gives. The id, which links, filters and the API use, stands behind it.

const names = new Map(); // id -> name

/** Remember the names in what the service answered: incidents, reports (`site_label`), the health of sites (`label`). */
export function learnSites(found) {
  for (const { site, site_label: named, label } of found) if (named || label) names.set(site, named || label);
}

/** The name where one is known, else the id. */
export const siteName = (site) => names.get(site) ?? site;

/** The name with the id behind it, for tooltips and for choosing: two sites may have one name. */
export function siteTitle(site) {
  const name = siteName(site);
  return name === site ? site : `${name} (${site})`;
}
