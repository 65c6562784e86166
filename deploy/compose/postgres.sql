-- run once, when the volume is new; the database `alerts` is there by then
CREATE DATABASE monitor OWNER floorwatch ENCODING 'UTF8' TEMPLATE template0;
