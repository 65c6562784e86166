// Sites as people know them: by the name that the sites file gives. The id, which links, filters and the API use, stands behind it.

const names = new Map(); // id -> name

/** Remember the names in what the service answered: incidents, reports (`site_label`), the health of sites (`label`). */
export function learnSites(found) {
  for (const { site, site_label: named, label } of found) if (named || label) names.set(site, named || label);
}

/** The name where one is known, else the id. */
export const siteName = (site) => names.get(site) ?? site;

/** The name with the id behind it, for tooltips and where one chooses by either. */
export function siteTitle(site) {
  const name = siteName(site);
  return name === site ? site : `${name} (${site})`;
}

/** The name in a menu, with the id only where another site is called the same. */
export function siteChoice(site) {
  const name = siteName(site);
  const alike = [...names].some(([other, its]) => other !== site && its === name);
  return alike ? siteTitle(site) : name;
}
