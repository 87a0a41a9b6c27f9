import { mount } from 'svelte';
import ReplayApp from '../ui/ReplayApp.svelte';
import '../ui/theme.css';
import { language } from '../words/language.svelte';

language.announce();
const target = document.getElementById('app');
if (target !== null) mount(ReplayApp, { target });
