DROP TABLE event;
DROP TABLE token;
DROP TABLE node;
DROP TABLE agent;
DROP TABLE channel;
DROP TABLE artifact;
DROP TABLE meta;
